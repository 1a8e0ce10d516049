/** Taiwan's Chinese first, English beside it. */
export interface Bilingual { readonly zh: string, readonly en: string }
/** `code` is stable and names the kind of problem to programs. */
export interface ProblemText extends Bilingual { readonly code: string }

const text = (code: string, zh: string, en: string): ProblemText => ({ code, zh, en })
const asked = (near: string | null, zh: (near: string) => string, en: (near: string) => string) => ({ zh: near === null ? '' : zh(near), en: near === null ? '' : en(near) })

/** Every sentence this folder shows to people. None takes the value of a setting, for it may be a password in the wrong place. */
export const texts = {
  // words of the report
  errorWord: { zh: '[錯誤]', en: 'ERROR' },
  warningWord: { zh: '[警告]', en: 'WARNING' },
  exampleWord: { zh: '範例', en: 'example' },
  count: ({ errors, warnings }: { errors: number, warnings: number }): Bilingual => ({
    zh: `共 ${errors} 項錯誤、${warnings} 項警告。`,
    en: `${errors} ${errors === 1 ? 'error' : 'errors'}, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}.`,
  }),
  allRight: ({ file, cameras, volumes }: { file: string, cameras: number, volumes: number }): Bilingual => ({
    zh: `設定檔可用：${file}（鏡頭 ${cameras} 支、儲存區 ${volumes} 個）。`,
    en: `The configuration can be used: ${file} (cameras: ${cameras}, volumes: ${volumes}).`,
  }),
  moreProblems: (count: number) => text('more-problems', `另有 ${count} 項問題未列出；請先修正以上各項再檢查一次。`, `${count} more problems are not listed; mend those above and check again.`),

  // the file itself
  fileMissing: text('file-missing', '找不到檔案。', 'The file does not exist.'),
  fileForbidden: text('file-forbidden', '沒有讀取這個檔案的權限。', 'This account may not read the file.'),
  fileIsFolder: text('file-is-folder', '這是資料夾，不是檔案。', 'This is a folder, not a file.'),
  fileNotRegular: text('file-not-regular', '這不是一般檔案（可能是裝置或管線）。', 'This is not a regular file (a device or a pipe, perhaps).'),
  fileUnreadable: (code: string) => text('file-unreadable', `讀取檔案失敗（${code}）。`, `The file could not be read (${code}).`),
  fileTooLarge: (maxMiB: number) => text('file-too-large', `檔案超過 ${maxMiB} MiB，不會是設定檔。`, `The file is larger than ${maxMiB} MiB and cannot be what it should be.`),
  fileBinary: text('file-binary', '檔案含有二進位資料，不是文字檔。', 'The file holds binary data and is no text.'),
  fileNotUtf8: text('file-not-utf8', '檔案不是 UTF-8 編碼（可能是 Big5）；請另存為 UTF-8。', 'The file is not UTF-8 (Big5, perhaps); save it as UTF-8.'),
  fileUtf16: text('file-utf16', '檔案是 UTF-16 編碼；請另存為 UTF-8。', 'The file is UTF-16; save it as UTF-8.'),
  fileByteOrderMark: text('file-byte-order-mark', '檔案開頭有 BOM（Windows 記事本所加），已略過；建議另存為不含 BOM 的 UTF-8。', 'The file starts with a byte order mark (Windows Notepad adds it); it was skipped, better save without it.'),
  fileCrLf: text('file-crlf', '檔案使用 Windows 換行（CRLF），可以讀取；建議改為 LF。', 'The file has Windows line ends (CRLF); it can be read, LF is better.'),
  fileEmpty: text('file-empty', '檔案是空的（或只有註解）。', 'The file is empty (or holds only comments).'),
  fileNotMapping: text('file-not-mapping', '檔案最外層必須是「鍵: 值」的設定。', 'The file must consist of "key: value" settings.'),

  // YAML
  yamlTab: text('yaml-tab', 'YAML 不可用 Tab 縮排，請改用空白。', 'YAML does not allow tabs for indenting; use spaces.'),
  yamlIndent: text('yaml-indent', '縮排不一致：同一層的項目必須對齊，括號要收在同一層。', 'The indenting does not fit: items of one level must line up, and brackets close inside it.'),
  yamlUnclosed: text('yaml-unclosed', '有引號、括號或冒號沒有成對。', 'A quote, bracket or colon is missing.'),
  yamlEscape: text('yaml-escape', '雙引號中的反斜線寫法不正確；一般文字請改用單引號。', 'A backslash in double quotes is not a known escape; use single quotes for plain text.'),
  yamlReserved: text('yaml-reserved', '以 @ 或 ` 開頭的文字必須加引號。', 'Text that starts with @ or ` must be in quotes.'),
  yamlNestedKey: text('yaml-nested-key', '同一行有兩個「: 」；含冒號的文字請加引號。', 'There are two ": " in one line; put text with a colon in quotes.'),
  yamlDocuments: text('yaml-documents', '檔案只能有一份 YAML 文件，請移除多餘的「---」。', 'The file may hold one YAML document only; remove the extra "---".'),
  yamlTag: text('yaml-tag', '不支援 YAML 標籤（! 開頭）與指示詞（% 開頭）；文字請加引號。', 'YAML tags (!…) and directives (%…) are not supported; put text in quotes.'),
  yamlVersion: text('yaml-version', '請使用 YAML 1.2：在 1.1 版中 off、no 會變成真假值。', 'Use YAML 1.2: in version 1.1 words such as off and no turn into truth values.'),
  yamlKey: text('yaml-key', '鍵必須是簡單的文字。', 'A key must be plain text.'),
  yamlTooDeep: text('yaml-too-deep', '內容的層數太深或項目太多，不會是設定檔。', 'The file is nested too deeply or holds too many items to be what it should be.'),
  yamlLineEnds: text('yaml-line-ends', '檔案使用舊式 Mac 換行（CR），請改為 LF。', 'The file has old Mac line ends (CR); change them to LF.'),
  yamlSyntax: text('yaml-syntax', '這裡不符合 YAML 語法。', 'This is not valid YAML.'),
  yamlDuplicate: text('duplicate-key', '同一層出現兩次相同的鍵，只能保留一個。', 'The same key is given twice on one level; keep one.'),
  yamlAlias: text('yaml-alias', '別名（* 開頭）沒有對應的錨點，或使用次數過多。', 'An alias (*…) has no anchor before it, or aliases are used too often.'),

  // shape
  missing: (key: string) => text('missing', `缺少必要的設定「${key}」。`, `The setting "${key}" is missing.`),
  emptyValue: text('empty-value', '這個設定沒有值；不需要時請整行刪除。', 'The setting has no value; delete the line if it is not needed.'),
  unknownKey: ({ key, near, known }: { key: string, near: string | null, known: readonly string[] }) => {
    const hint = asked(near, word => `，是不是「${word}」？`, word => `; did you mean "${word}"?`)
    return text('unknown-key', `沒有「${key}」這個設定${hint.zh || '。'}可用：${known.join('、')}。`, `There is no setting "${key}"${hint.en || '.'} Allowed: ${known.join(', ')}.`)
  },
  accountKey: text('account-key', '帳號密碼不可寫在這個檔案；請寫在密碼檔，並以 credential 指定代號。', 'Accounts do not belong into this file; put them in the secrets file and name the entry with credential.'),
  quoteIt: text('quote-it', '這裡要的是文字；數字與 true/false 請加引號。', 'This must be text; put numbers and true/false in quotes.'),
  notMapping: text('not-mapping', '這裡必須是「鍵: 值」的設定。', 'This must be a mapping of "key: value".'),
  notList: text('not-list', '這裡必須是清單（每項以「- 」開頭）。', 'This must be a list (each item starts with "- ").'),
  listOf: ({ zh, en, min, max }: Bilingual & { min: number, max: number }) =>
    text('list-size', `這裡必須是清單，列出 ${min} 至 ${max} 個${zh}。`, `This must be a list of ${min} to ${max} ${en}s.`),
  name: text('name', '代號為 1 至 40 個小寫英文字母、數字、- 或 _，且以字母或數字開頭。', 'A name is 1 to 40 of a-z, 0-9, - and _, starting with a letter or digit.'),
  label: (max: number) => text('label', `名稱為 1 至 ${max} 個字，不可只有空白或含控制字元。`, `A label is 1 to ${max} characters, not only blanks, without control characters.`),
  trueOrFalse: text('true-or-false', '這裡只能是 true 或 false。', 'This is either true or false.'),
  port: text('port', '連接埠為 1 至 65535 的整數。', 'A port is a whole number from 1 to 65535.'),
  videoSource: (max: number) => text('video-source',
    `這裡是裝置上鏡頭的 ONVIF 影像來源代號，1 至 ${max} 個字；以 custos cameras probe 查看。`,
    `ONVIF's token of the lens on the device, 1 to ${max} characters; custos cameras probe lists them.`),
  profile: text('profile', '這裡只能是 main 或 sub。', 'This is either main or sub.'),
  tls: text('tls', '這裡只能是 auto、off，或 { cert: 路徑, key: 路徑 }。', 'This is auto, off, or { cert: PATH, key: PATH }.'),
  inbox: text('inbox', '這裡只能是 off 或 { dir: 路徑 }。', 'This is off or { dir: PATH }.'),
  streams: (max: number) => text('streams', `這裡必須列出 1 至 ${max} 個串流。`, `This must hold 1 to ${max} streams.`),

  // site and retention
  timezone: (near: string | null) => {
    const hint = asked(near, word => `；是不是 ${word}？`, word => `; did you mean ${word}?`)
    return text('timezone', `時區必須是 IANA 時區名稱${hint.zh || '。'}`, `The time zone must be a name of the IANA database${hint.en || '.'}`)
  },
  floor: text('floor', '保存期限寫成「31d」（日曆天，最多 3660d）；試驗時可用 12h、45m、90s。', 'The floor is written "31d" (calendar days, at most 3660d); for trials 12h, 45m, 90s.'),
  priority: (max: number) => text('priority', `重要性為 1（最重要）至 ${max} 的整數。`, `The priority is a whole number from 1 (most important) to ${max}.`),
  bitrate: text('bitrate', '位元率寫成數字加 Mbit/s 或 kbit/s，如「4Mbit/s」；與鏡頭網頁上的設定相同。', 'A bitrate is a number with Mbit/s or kbit/s, such as "4Mbit/s": what the camera itself is set to.'),
  lowerSame: text('lower-same', 'lower 與這個串流的來源相同，降級後不會變小；請指定較小的串流。', 'lower is the same source as the stream itself and would save nothing; name a smaller one.'),
  floorTrial: text('floor-trial', '保存期限低於一個月（31d），只適合試驗：系統會一直顯示為嚴重狀態。', 'The floor is below one month (31d) and fit for trials only: health will stay critical.'),

  // folders
  stateWord: { zh: '系統資料夾', en: 'the state folder' },
  volumeWord: { zh: '儲存區', en: 'a volume' },
  archiveWord: { zh: '存檔資料夾', en: 'the archive' },
  inboxWord: { zh: '收件資料夾', en: 'the inbox' },
  ruleSetsWord: { zh: '作業規定資料夾', en: 'the folder of rule sets' },
  calendarWord: { zh: '辦公日曆資料夾', en: 'the folder of calendars' },
  absolutePath: text('absolute-path', '路徑必須從 / 開始，且不可是根目錄或含控制字元。', 'The path must start at /, must not be the root itself and must not hold control characters.'),
  placeTwice: ({ other }: { other: Bilingual }) => text('folder-twice', `這個資料夾已用作${other.zh}。`, `This folder is already used as ${other.en}.`),
  placeInside: ({ other }: { other: Bilingual }) => text('folder-inside', `這個資料夾位於${other.zh}之內，必須分開。`, `This folder lies inside ${other.en}; they must be apart.`),
  placeAround: ({ other }: { other: Bilingual }) => text('folder-around', `這個資料夾包含了${other.zh}，必須分開。`, `This folder holds ${other.en}; they must be apart.`),
  idTwice: text('id-twice', '這個代號已經用過，代號不可重複。', 'This id is already taken; ids must differ.'),
  size: text('size', '容量寫成整數加單位 KiB、MiB、GiB 或 TiB（最多 1024TiB）；GB 不明確，不接受。', 'A size is a whole number with KiB, MiB, GiB or TiB (at most 1024TiB); GB is ambiguous and refused.'),

  // network
  host: text('host', '這裡必須是 IP 位址或主機名稱，不含 http:// 與連接埠。', 'This must be an IP address or a host name, without http:// or a port.'),
  hostUserinfo: text('host-userinfo', '主機名稱不可含帳號密碼；請寫在密碼檔，並以 credential 指定。', 'A host must not hold an account; put it in the secrets file and name it with credential.'),
  loopbackOnly: text('loopback-only', '健康狀態介面沒有帳號保護，只能使用本機位址（127.0.0.1 或 ::1）；遠端請用主控台。', 'The health interface has no accounts, so only a loopback address is allowed (127.0.0.1 or ::1); use the console from afar.'),
  tlsOff: text('tls-off', '不加密（tls: off）只允許本機位址；其他位址會讓密碼與影像在網路上外洩。', 'Without TLS only a loopback address is allowed; elsewhere passwords and pictures would cross the network in the clear.'),
  samePort: text('same-port', 'listen 與 console 不可使用同一個連接埠。', 'listen and console must not share a port.'),

  // witness
  syslog: text('syslog', '這裡只能是 true、false，或 { tag, server, port }。', 'This is true, false, or { tag, server, port }.'),
  witnessCommand: text('witness-command', '這裡必須是清單：第一項為程式的絕對路徑，其後為參數（不經過 shell，不可含控制字元或密碼）。', 'This must be a list: the absolute path of a program, then its arguments (no shell is in between; no control characters, no passwords).'),
  witnessPort: text('witness-port', 'port 只在指定 server 時有意義。', 'port means nothing without server.'),
  witnessNone: text('witness-none', '沒有指定任何方式（syslog、command 或 print）：查核點不會離開本機，紀錄被改寫時外人無從得知。', 'No way is given (syslog, command or print): checkpoints stay on this machine, and nobody outside could tell a rewritten log.'),

  // evidence packages
  timestampCommand: text('timestamp-command', '這裡必須是清單：第一項為程式的絕對路徑，其後為參數；請求檔與回覆檔的路徑會接在最後（不經過 shell，不可含控制字元或密碼）。', 'This must be a list: the absolute path of a program, then its arguments; the paths of request and answer are put after them (no shell is in between; no control characters, no passwords).'),
  timestampAccount: text('timestamp-account', '網址不可含帳號密碼：同機使用者都看得到程式的參數。請讓程式自其設定檔讀取。', 'The URL must not hold an account: every user of the machine sees the arguments of a program. Let the program read it from a file of its own.'),
  timestampCa: text('timestamp-ca', '檔案中沒有可用的憑證（PEM）；在此之前複製品不附時戳。', 'The file holds no certificate (PEM) that can be used; until it does, packages go without a time stamp.'),
  timestampCaKey: text('timestamp-ca-key', '檔案中有私鑰；此檔會隨複製品交出，只能放憑證。在此之前複製品不附時戳。', 'The file holds a private key, and it would be handed out with every package: certificates only. Until then packages go without a time stamp.'),

  // cameras
  noCameras: text('no-cameras', '沒有任何鏡頭，不會錄影。', 'There is no camera, so nothing will be recorded.'),
  sourceBoth: text('source-both', '同一個串流不可同時指定 url 與 profile（ONVIF），請擇一。', 'One stream has both url and profile (ONVIF); keep one.'),
  sourceNeither: text('source-neither', '沒有影像來源：請指定串流的 url，或鏡頭的 onvif。', 'There is no source of pictures: give the stream a url, or the camera onvif.'),
  profileAlone: text('profile-alone', 'profile 需要鏡頭的 onvif 設定。', 'profile needs the camera\'s onvif.'),
  profileMissing: text('profile-missing', '請以 profile 指定這個串流使用 ONVIF 的 main 或 sub。', 'Say with profile whether this stream is ONVIF\'s main or sub.'),
  onvifUnused: text('onvif-unused', '每個串流都已指定 url，onvif 不會用到：請擇一。', 'Every stream has a url, so onvif serves none: keep one of the two.'),
  credentialNoFile: text('credential-no-file', '指定了 credential，但沒有密碼檔（secrets.file）。', 'A credential is named, but there is no secrets file (secrets.file).'),
  credentialUnknown: ({ name, near }: { name: string, near: string | null }) => {
    const hint = asked(near, word => `，是不是「${word}」？`, word => `; did you mean "${word}"?`)
    return text('credential-unknown', `密碼檔中沒有「${name}」${hint.zh || '。'}`, `The secrets file has no entry "${name}"${hint.en || '.'}`)
  },
  urlUserinfo: text('url-userinfo', '網址不可含帳號密碼；請寫在密碼檔，並以 credential 指定（路徑中的 @ 寫成 %40）。', 'The URL must not hold a user name or password; put them in the secrets file and name the entry with credential (write a @ of the path as %40).'),
  urlPassword: text('url-password', '網址的路徑或參數似乎含有密碼，會出現在畫面與紀錄中；請改用 credential 或 onvif，攝影機要求密碼寫在網址時以 {username}、{password} 代替。', 'The path or query seems to hold a password, which screens and logs would show; use credential or onvif, and where the camera wants it in the address write {username} and {password} in its place.'),
  urlBraces: text('url-braces', '網址中的大括號只能是 {username} 或 {password}。', 'Braces in the URL can only be {username} or {password}.'),
  urlAccount: text('url-account', '網址含 {username} 或 {password}，但這支鏡頭沒有 credential。', 'The URL holds {username} or {password}, but this camera has no credential.'),
  urlScheme: text('url-scheme', '網址必須以 rtsp:// 或 rtsps:// 開頭。', 'The URL must start with rtsp:// or rtsps://.'),
  urlCharacters: text('url-characters', '網址不可含空白、換行、單引號、控制字元或非 ASCII 字元（請用 % 編碼）。', 'The URL must not hold blanks, line breaks, single quotes, control or non-ASCII characters (percent-encode them).'),
  urlTooLong: (max: number) => text('url-too-long', `網址超過 ${max} 個字元。`, `The URL is longer than ${max} characters.`),
  urlForm: text('url-form', '這不是有效的 RTSP 網址（主機、連接埠或 # 有誤）。', 'This is not a valid RTSP URL (check host, port and #).'),

  // secrets
  secretsFile: text('secrets-file', '密碼檔須為絕對路徑、設定檔旁的檔名，或 credential:NAME（systemd）。', 'The secrets file is an absolute path, a path beside the configuration, or credential:NAME (systemd).'),
  secretsNoSystemd: text('secrets-no-systemd', '此處沒有 systemd 憑證（$CREDENTIALS_DIRECTORY 未設定），無法讀取密碼檔。', 'There are no systemd credentials here ($CREDENTIALS_DIRECTORY is not set), so the secrets cannot be read.'),
  secretsMode: (mode: string) => text('secrets-mode', `密碼檔權限為 ${mode}，其他人可讀取或更改；必須是 0600 或更嚴格。`, `The secrets file has mode ${mode}, open to others; it must be 0600 or stricter.`),
  secretsOwner: (uid: number) => text('secrets-owner', `密碼檔屬於其他使用者（uid ${uid}）；必須屬於 root 或執行服務的帳號。`, `The secrets file belongs to another user (uid ${uid}); it must belong to root or to the account of the service.`),
  secretsEntry: text('secrets-entry', '密碼檔的每一項為「代號: { username, password }」。', 'Each entry of the secrets file is "name: { username, password }".'),
  secretsKey: text('secrets-key', '這一項有 username 與 password 以外的鍵（不在此顯示內容）。', 'This entry has a key besides username and password (not shown here).'),
  secretsText: (field: string) => text('secrets-text', `${field} 必須是文字，請加引號。`, `${field} must be text; put it in quotes.`),
  secretsChars: ({ field, max }: { field: string, max: number }) => text('secrets-chars', `${field} 最多 ${max} 個字元，不可含控制字元；username 不可空白，也不可含冒號。`, `${field} is at most ${max} characters without control characters; username must not be empty or hold a colon.`),
}
