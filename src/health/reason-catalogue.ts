import type { RunEndReason } from '../domain/index.ts'
import type { VolumeView } from './views.ts'

/** Traditional Chinese as used in Taiwan, and the same in English. */
export interface Bilingual { readonly zh: string, readonly en: string }

/** `{name}` is filled from the finding; `{subject}` is always there where the finding has one. */
export interface Wording { readonly text: Bilingual, readonly nextStep: Bilingual }

const says = (zh: string, en: string, nextZh: string, nextEn: string): Wording =>
  ({ text: { zh, en }, nextStep: { zh: nextZh, en: nextEn } })

type DownCode = `stream-${RunEndReason | 'connecting' | 'no-frames'}`
/** A stream that gives no footage, by why its last run ended. */
const STREAM_DOWN = {
  'stream-unreachable': says('{subject} 連不上攝影機', '{subject}: the camera cannot be reached',
    '檢查網路線、攝影機電源（PoE）與 IP 位址', 'Check the network cable, the camera\'s power (PoE) and its IP address'),
  'stream-refused': says('{subject} 攝影機拒絕連線', '{subject}: the camera refuses the connection',
    '確認攝影機已啟用 RTSP，且設定檔的連接埠正確；剛開機請等兩分鐘', 'Check that RTSP is switched on and the port in the configuration is right; after power-up wait two minutes'),
  'stream-auth-refused': says('{subject} 攝影機不接受帳號或密碼', '{subject}: the camera does not accept the user name or password',
    '核對密碼檔（secrets）中該攝影機的帳號密碼，與攝影機上的設定一致', 'Check this camera\'s entry in the secrets file against the account on the camera'),
  'stream-no-such-stream': says('{subject} 攝影機上沒有這個串流', '{subject}: the camera has no such stream',
    '核對設定檔的串流網址或 ONVIF 設定檔（profile）', 'Check the stream URL or the ONVIF profile in the configuration'),
  'stream-codec-unsupported': says('{subject} 影像編碼不是 H.264 或 H.265', '{subject}: the video is neither H.264 nor H.265',
    '在攝影機上把這個串流的編碼改為 H.264 或 H.265', 'Set this stream to H.264 or H.265 on the camera'),
  'stream-closed-by-camera': says('{subject} 攝影機中斷了連線', '{subject}: the camera closed the connection',
    '若反覆發生，檢查攝影機同時連線數上限與韌體', 'If it repeats, check the camera\'s limit of connections and its firmware'),
  'stream-stalled': says('{subject} 已連線但影像中斷', '{subject}: connected, but the picture stopped',
    '檢查網路是否壅塞；仍無影像時重新開啟攝影機電源', 'Check the network for congestion; if it stays, power the camera off and on'),
  'stream-timestamps-jumped': says('{subject} 攝影機影像時間跳動', '{subject}: the time stamps of the camera jumped',
    '將攝影機對時改為本所的 NTP 伺服器，並檢查韌體', 'Set the camera to this office\'s time server and check its firmware'),
  'stream-parameter-sets-changed': says('{subject} 攝影機編碼設定改變後尚未恢復錄影', '{subject}: not recording since the encoder settings changed',
    '確認攝影機的解析度與編碼設定已固定，未啟用自動切換', 'Check that resolution and encoder settings are fixed and nothing switches them'),
  'stream-bad-stream': says('{subject} 攝影機送出的影像無法解讀', '{subject}: the camera sends a stream that cannot be read',
    '檢查攝影機韌體與網路封包遺失，必要時重新開啟電源', 'Check the camera\'s firmware and the network for lost packets; power the camera off and on'),
  'stream-onvif-failed': says('{subject} 無法經 ONVIF 取得串流網址', '{subject}: the camera gave no stream address over ONVIF',
    '確認攝影機已啟用 ONVIF、帳號有權限，且時間與本機相差不大', 'Check that ONVIF is on, the account is allowed to use it and the camera\'s clock is about right'),
  'stream-recorder-stopped': says('{subject} 錄影被停止後尚未恢復', '{subject}: recording was stopped and has not resumed',
    '重新啟動錄影服務；若仍不恢復請聯絡維護人員', 'Restart the recorder service; if it stays, call maintenance'),
  'stream-recorder-killed': says('{subject} 錄影程式曾異常終止，尚未恢復錄影', '{subject}: the recorder was killed and this stream has not resumed',
    '查看系統日誌中錄影程式終止的原因', 'Look in the system journal for why the recorder ended'),
  'stream-clock-stepped': says('{subject} 系統時間被調整後尚未恢復錄影', '{subject}: not recording since the clock was set',
    '確認主機已與 NTP 同步，不要手動調整時間', 'Check that this machine is synchronised by NTP; do not set the clock by hand'),
  'stream-storage-failed': says('{subject} 磁碟拒絕寫入，無法錄影', '{subject}: the disk refuses the footage',
    '查看本頁的磁碟狀態，準備更換故障磁碟', 'Look at the volumes here and be ready to replace the failed disk'),
  'stream-storage-full': says('{subject} 沒有可覆寫的空間，無法錄影', '{subject}: no slot may be reused, so nothing is recorded',
    '增加磁碟容量、降低攝影機位元率，或結束不再需要的保全', 'Add disk space, lower the cameras\' bitrate, or end holds no longer needed'),
  'stream-storage-too-slow': says('{subject} 磁碟寫入速度跟不上影像', '{subject}: the disk is slower than the footage',
    '檢查磁碟健康狀態與其他佔用磁碟的程式', 'Check the disk\'s health and what else uses it'),
  'stream-ffmpeg-failed': says('{subject} 影像接收程式（ffmpeg）無法執行', '{subject}: ffmpeg could not start or broke',
    '確認已安裝 ffmpeg 且記憶體足夠，再查看日誌', 'Check that ffmpeg is installed and memory is left, then read the log'),
  'stream-removed-from-config': says('{subject} 已自設定檔移除後又加入，尚未恢復錄影', '{subject}: was removed from the configuration and has not resumed',
    '檢查設定檔（check-config）後重新啟動錄影服務', 'Check the configuration (check-config), then restart the recorder service'),
  'stream-stepped-down': says('{subject} 為保住保存期限改為較少錄影後，尚未恢復錄影', '{subject}: not recording since it was stepped down to save the floor',
    '確認攝影機的次串流（lower）可以連線；設定有誤時請修正設定檔', 'Check that the camera\'s lower profile can be reached; correct the configuration if it is wrong'),
  'stream-stepped-up': says('{subject} 恢復完整錄影時尚未連上攝影機', '{subject}: not recording since it was stepped up again',
    '檢查攝影機主串流與網路', 'Check the camera\'s main stream and the network'),
  'stream-stopped-for-floor': says('{subject} 為保住其他影像的保存期限，已停止錄影', '{subject}: stopped, so that the others keep their floor',
    '增加磁碟容量、降低位元率，或結束不再需要的保全；空間足夠後會自動恢復', 'Add disk space, lower bitrates or end holds; it resumes by itself once the floor fits'),
  'stream-slot-budget': says('{subject} 不斷取用新的影像槽，已暫停以保護其他攝影機', '{subject}: took new slots too often and waits, to protect the other cameras',
    '檢查攝影機是否反覆改變解析度或斷線；排除後會自動恢復', 'Check why the camera keeps changing its picture settings or breaking off; it resumes by itself'),
  'stream-no-frames': says('{subject} 錄影中但沒有新影像', '{subject}: recording, but no new frame arrives',
    '查看攝影機即時畫面與網路；數秒後系統會自動重連', 'Look at the camera and the network; the recorder reconnects by itself in a few seconds'),
  'stream-connecting': says('{subject} 尚未連上攝影機', '{subject}: not connected to the camera yet',
    '確認攝影機已開機並接上網路', 'Check that the camera is powered and on the network'),
} as const satisfies Record<DownCode, Wording>

/** A volume that cannot be recorded to, by its state. */
const VOLUME_BAD = {
  'volume-missing': says('磁碟區 {subject} 不存在', 'Volume {subject} is missing',
    '檢查磁碟是否接妥、資料夾是否還在；不要重新建立', 'Check that the disk is attached and its folder is there; do not create it anew'),
  'volume-foreign': says('磁碟區 {subject} 與本機的影像目錄不符，因此不使用', 'Volume {subject} does not go with this recorder\'s catalogue and is not used',
    '確認沒有接錯磁碟；若目錄遺失或還原過備份，停止服務後執行 custos rebuild', 'Check that the right disk is attached; if the catalogue was lost or came from a backup, stop the recorder and run custos rebuild'),
  'volume-read-only': says('磁碟區 {subject} 只能讀取', 'Volume {subject} is read-only',
    '多半是磁碟故障後系統的保護；備妥新磁碟並查看系統日誌', 'Usually the system protecting a failing disk: have a new one ready and read the system journal'),
  'volume-unsupported': says('磁碟區 {subject} 的檔案系統不支援', 'Volume {subject} is on an unsupported file system',
    '改用 ext4 或 XFS 的磁碟建立磁碟區', 'Make the volume on ext4 or XFS'),
  'volume-not-mounted': says('磁碟區 {subject} 未掛載', 'Volume {subject} is not mounted',
    '檢查磁碟與開機掛載設定（fstab），掛載後會自動接續', 'Check the disk and its mount unit (fstab); recording goes on by itself once it is mounted'),
  'volume-damaged': says('磁碟區 {subject} 的識別檔或檔案損壞', 'Volume {subject} is damaged',
    '不要刪除任何檔案；先以 rescue 指令抄出影像再處理', 'Delete nothing; copy the footage out with the rescue command first'),
  'volume-failed': says('磁碟區 {subject} 讀寫失敗', 'Volume {subject} fails to read or write',
    '查看磁碟健康狀態（SMART）並準備更換', 'Read the disk\'s health (SMART) and be ready to replace it'),
} as const satisfies Record<`volume-${Exclude<VolumeView['state'], 'ok'>}`, Wording>

const OTHER = {
  'stream-unstable': says('{subject} 十分鐘內中斷 {count} 次', '{subject}: broke off {count} times in ten minutes',
    '檢查網路線、交換器連接埠與攝影機電源是否穩定', 'Check the cable, the switch port and the camera\'s power'),
  'camera-clock-off': says('{subject} 攝影機時鐘與本機相差 {seconds} 秒', '{subject}: the camera\'s clock is {seconds} s off',
    '將攝影機對時改為本所的 NTP 伺服器', 'Set the camera to this office\'s time server'),
  'nothing-to-record': says('沒有設定任何要錄影的攝影機', 'No camera is configured',
    '在設定檔加入攝影機', 'Add the cameras to the configuration'),
  'volume-slow-sync': says('磁碟區 {subject} 寫入確認需 {syncMs} 毫秒，斷電時最多可能損失最後 {lossSeconds} 秒', 'Volume {subject} takes {syncMs} ms to sync: a power cut may cost the last {lossSeconds} s',
    '檢查磁碟健康狀態與其他佔用磁碟的程式', 'Check the disk\'s health and what else uses it'),
  'volume-faults': says('磁碟區 {subject} 發生 {errors} 次讀寫錯誤，隔離 {quarantined} 個影像槽', 'Volume {subject} had {errors} errors and set {quarantined} slots aside',
    '查看磁碟健康狀態（SMART）並安排更換', 'Read the disk\'s health (SMART) and plan to replace it'),
  'no-usable-volume': says('沒有可寫入的磁碟區，所有錄影都已停止', 'No volume can be written: nothing is recorded',
    '立即檢查磁碟與掛載狀態', 'Check the disks and their mounts now'),
  'no-redundancy': says('只有一個磁碟區，沒有備援', 'There is one volume and no redundancy',
    '磁碟故障會失去影像；建議使用 RAID', 'A dead disk loses its footage; use RAID'),
  'floor-below-month': says('保存期限設定不足一個月，只能用於測試', 'The retention floor is below one month: for trials only',
    '正式使用前將 retention.floor 設為 31d 以上', 'Set retention.floor to 31d or more before real use'),
  'ring-stopped-by-floor': says('所有空間都在保存期限內，錄影因此停止', 'Every slot is inside the floor, so recording stopped',
    '增加磁碟容量、降低位元率，或結束不再需要的保全；系統不會覆寫期限內影像', 'Add disk space, lower bitrates or end holds; footage inside the floor is never overwritten'),
  'forecast-short': says('照目前用量影像可保存 {keptZh}（有 {wantedZh}才有餘裕）；{wrapZh}', 'At the present rate footage is kept {keptEn} ({wantedEn} leave a margin); {wrapEn}',
    '安排增加磁碟容量或降低攝影機位元率', 'Plan for more disk space or lower bitrates'),
  'forecast-critical': says('照目前用量影像只能保存 {keptZh}，接近保存期限；{wrapZh}', 'At the present rate footage is kept only {keptEn}, close to the floor; {wrapEn}',
    '立即增加磁碟容量或降低攝影機位元率', 'Add disk space or lower bitrates now'),
  'does-not-fit': says('儲存區不足以保存到期限：尚缺 {lacking}，照目前用量約可保存 {keptZh}', 'The volumes cannot keep the floor: {lacking} lack; at the present rate footage is kept {keptEn}',
    '增加儲存區或降低位元率；執行 check-config 可看所需空間。期限內影像不會被覆寫，空間用完即停止錄影', 'Add a volume or lower bitrates; check-config tells the space needed. Footage inside its floor is never overwritten: recording stops instead'),
  'ring-stops-soon': says('照目前用量，{dateZh} 起將沒有可覆寫的空間，錄影會停止', 'At the present rate no slot may be reused from {dateEn} on, and recording stops',
    '在此之前增加磁碟容量、降低位元率，或結束不再需要的保全', 'Before then add disk space, lower bitrates or end holds no longer needed'),
  'stepped-down-lower': says('{subject} 空間不足以保存到期限，改錄較低畫質', '{subject}: recorded in its lower profile, so that the floor holds',
    '安排增加磁碟容量、降低位元率，或結束不再需要的保全；空間足夠後會自動恢復', 'Plan for more disk space, lower bitrates, or end holds; it returns by itself once the floor fits'),
  'stepped-down-key-frames': says('{subject} 空間不足以保存到期限，只錄關鍵畫格（約每秒一張或更少）', '{subject}: only key frames are recorded, so that the floor holds',
    '立即增加磁碟容量或降低位元率；再不足時將停止錄影', 'Add disk space or lower bitrates now; the next step stops cameras'),
  'over-budget': says('{subject} 位元率 {measured} Mbit/s，超過設定的 {declared} Mbit/s', '{subject}: takes {measured} Mbit/s, more than the {declared} Mbit/s it declares',
    '在攝影機上降低位元率，或修正設定檔的 bitrate；空間不足時會先降低這個串流', 'Lower the bitrate on the camera or correct bitrate in the configuration; when space runs short this stream gives up first'),
  'audit-unwritable': says('稽核紀錄無法寫入：觀看、匯出與銷毀已停止，錄影繼續', 'The audit log cannot be written: viewing, export and erasure stopped, recording goes on',
    '清出系統磁碟（state.dir）空間或檢查該磁碟；寫得進去後會自動恢復', 'Make room on the disk of state.dir or look at that disk; it resumes by itself once it can write'),
  'audit-reserve-used': says('系統磁碟已滿，正以保留空間記錄稽核', 'The system disk is full: the audit log lives on its reserve',
    '今晚清出系統磁碟（state.dir）空間；保留空間用完後觀看與匯出會停止', 'Make room on the disk of state.dir tonight; when the reserve is used up, viewing and export stop'),
  'audit-damaged': says('稽核紀錄有缺漏，無法製作查核點', 'Entries of the audit log are gone, so that no checkpoint can be made',
    '不要更動主機；執行 custos audit verify 查明並通知政風或稽核', 'Leave the machine as it is; run custos audit verify and tell whoever audits the office'),
  'audit-key-replaced': says('簽署稽核查核點的金鑰已更換，外界尚未收到新金鑰的查核點', 'The key that signs audit checkpoints was replaced, and none of the new key has left the machine yet',
    '查明原因；送出或列印新的查核點，並重新公布金鑰指紋', 'Find out why; send or print a new checkpoint and post the new fingerprint'),
  'audit-key-unusable': says('簽署稽核查核點的金鑰無法使用，查核點沒有簽章', 'The key that signs audit checkpoints cannot be used: checkpoints carry no signature',
    '檢查 state.dir 下 keys 資料夾的權限與磁碟，再重新啟動錄影服務', 'Check mode and disk of the folder keys in state.dir, then restart the recorder service'),
  'no-witness-configured': says('沒有設定外部見證：稽核紀錄若被整份改寫，外人無從得知', 'No outside witness is configured: nobody outside could tell a rewritten audit log',
    '在設定檔加入 witness（syslog、郵件程式或列印）', 'Add witness to the configuration (syslog, a mail program, or print)'),
  'witness-overdue': says('稽核查核點已逾期未送出本機', 'No audit checkpoint has left the machine for too long',
    '檢查 syslog 主機或郵件程式；或執行 custos audit page 列印歸檔並登錄', 'Check the syslog server or the mail program; or print and file the page (custos audit page) and say so'),
  'catalogue-failed': says('影像目錄資料庫無法使用', 'The catalogue database does not work',
    '檢查系統磁碟空間與健康狀態；必要時以 rebuild 指令重建', 'Check the system disk\'s space and health; if needed recreate it with the rebuild command'),
  'footage-rotted': says('{subject} 有 {count} 處影像與封存時不符，最早在 {minute}', '{subject}: {count} pieces of footage are not as they were sealed, the earliest at {minute}',
    '執行 custos scrub 查看明細，檢查磁碟健康狀態（SMART）並備妥新磁碟', 'Run custos scrub for the list, read the disk\'s health (SMART) and have a new one ready'),
  'rescue-used': says('一週內有 {count} 次未經申請以 rescue 指令取出影像', 'In the last week footage was taken out {count} times with the rescue command, past the book',
    '查閱稽核紀錄（custos audit list --action footage.rescued），確認何人因何事取出', 'Look in the audit log (custos audit list --action footage.rescued) who took what, and why'),
  'break-glass-open': says('緊急啟封開啟中（{count} 筆）', 'Glass is broken: {count} openings stand open',
    '確認是誰、為何啟封（custos audit list --action break-glass）；用畢立即關閉', 'Find out who and why (custos audit list --action break-glass); shut it once it is not needed'),
  'break-glass-form-owed': says('{count} 筆緊急啟封尚未補辦附件4', '{count} openings of the break-glass credential lack their form (form 4)',
    '請啟封人補填附件4，由承辦人登錄編號', 'Have those who opened it fill in the form, and a clerk enter its number'),
  'event-loop-delayed': says('錄影程式反應延遲 {delayMs} 毫秒', 'The recorder reacts {delayMs} ms late',
    '檢查主機負載與其他程式', 'Check the machine\'s load and what else runs on it'),
  'clock-offset': says('系統時間偏差 {seconds} 秒（標準：0.5 秒內）', 'The clock is off by {seconds} s (0.5 s is the bound)',
    '檢查 NTP 校時服務（chronyc tracking）與時間伺服器', 'Check the time service (chronyc tracking) and its servers'),
  'clock-not-synchronised': says('主機未與時間伺服器同步', 'This machine is not synchronised with a time server',
    '安裝並啟用 chrony，設定至少三個時間伺服器', 'Install and enable chrony with at least three servers'),
  'clock-disagrees': says('系統時間與錄影機的可信時間相差 {seconds} 秒；保存期限改依實際運轉時間計算', 'The system clock and trusted time are {seconds} s apart; footage ages by running time',
    '核對主機時間；若主機時間正確，由兩人各執行一次 custos time confirm', 'Look at the system clock; if it is right, two people run custos time confirm, once each'),
  'clock-waiting': says('停機的 {hours} 小時尚未計入保存期間', 'The {hours} hours the machine was off are not counted yet',
    '確認主機時間正確並啟用 NTP；或由兩人各執行一次 custos time confirm', 'Check the system clock and its time service; or two people run custos time confirm, once each'),
  'clock-unknown': says('無法確定現在時間，所有影像暫不覆寫', 'The time is not known, so nothing is overwritten',
    '核對主機時間並啟用 NTP；再由兩人各執行一次 custos time confirm', 'Check the system clock and its time service; then two people run custos time confirm, once each'),
  'config-rejected': says('新的設定檔有 {problems} 個問題，仍使用舊設定', 'The new configuration has {problems} problems; the old one stays in force',
    '執行 check-config 並修正列出的問題', 'Run check-config and correct what it lists'),
} as const satisfies Record<string, Wording>

/** Every reason health can give. The codes are part of the contract: keep them. */
export const REASON_CATALOGUE = { ...STREAM_DOWN, ...VOLUME_BAD, ...OTHER }
export type ReasonCode = keyof typeof REASON_CATALOGUE

/** Puts `values` in place of `{name}`. Throws TypeError on a name the finding does not give. */
export const worded = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new TypeError(`no value for {${name}} in ${JSON.stringify(template)}`)
    return value
  })
