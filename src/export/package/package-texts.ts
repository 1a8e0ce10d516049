import { rocText } from '../../audit/index.ts'
import { epochMs } from '../../domain/index.ts'
import type { Manifest } from './manifest.ts'
import { playbackText } from './play-video.ts'
import { TIMESTAMP_TEXTS } from './time-stamp.ts'

const escaped = (text: string): string => text.replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)
const shown = (iso: string, timezone: string): string => `${rocText(epochMs(Date.parse(iso)), timezone)} (${iso})`

export interface TextFacts extends Pick<Manifest, 'packageId' | 'createdAt' | 'timezone' | 'application' | 'key' | 'recorder' | 'videos' | 'gaps' | 'playback'> {
  readonly office: string
  /** `follows`, or why there is none. */
  readonly token: 'follows' | keyof typeof TIMESTAMP_TEXTS
  readonly hasTsaCa: boolean
  readonly hasOutsideCheckpoint: boolean
  /** Of the signed text of the checkpoint, which its file begins with. */
  readonly checkpointLines: number
}

/** Lines that begin with `$ ` are commands for bash in the package's folder: coreutils and openssl alone. The last line of each part says what they print. */
export function verifyText({ packageId, office, key, token, hasTsaCa, hasOutsideCheckpoint, checkpointLines }: TextFacts): string {
  return `驗證方法 How to verify                                    ${packageId}
${office}

以下指令於 Linux 的 bash 執行，先進入本資料夾；只需 coreutils 與 openssl。以「$ 」開頭的是指令。
Commands for bash on Linux, run inside this folder; only coreutils and openssl are needed. Lines that begin with "$ " are commands.

1. 每一個檔案都與清單相符 Every file is as listed
$ sha256sum --check --strict --quiet SHA256SUMS && echo "1 OK"
   應印出 1 OK。 It prints 1 OK.
   Windows：certutil -hashfile 檔名 SHA256，與 SHA256SUMS 中同檔的值比對。

2. 金鑰是本所錄影機的金鑰 The key is that of the office's recorder
$ openssl pkey -pubin -in pub.pem -outform DER | sha256sum | cut -d ' ' -f 1
$ openssl x509 -in recorder-cert.pem -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1
   兩者都應為下列指紋；並請與封面及本所公告的指紋核對。只有與另外取得的指紋相符，才證明來源。
   Both print the fingerprint below. Compare it with the cover sheet and with what the office posted: only that proves the origin.
   ${key.fingerprint}

3. 清單的簽章有效 The signature over the manifest holds
$ openssl dgst -sha256 -verify pub.pem -signature manifest.sig manifest.json
$ openssl cms -verify -binary -inform DER -in manifest.p7s -content manifest.json -CAfile recorder-cert.pem -purpose any -out /dev/null && echo "3 OK"
   應印出 Verified OK 與 3 OK。 They print Verified OK and 3 OK.

4. 稽核紀錄的查核點有效 The checkpoint of the audit log holds
$ T=$(mktemp -d) && head -n ${checkpointLines} checkpoint.txt > "$T/body" && head -n ${checkpointLines + 2} checkpoint.txt | tail -n 1 | cut -d ' ' -f 3 | base64 -d | tail -c +5 > "$T/sig" && openssl dgst -sha256 -verify pub.pem -signature "$T/sig" "$T/body"; rm -r "$T"
   應印出 Verified OK。${hasOutsideCheckpoint ? '檔中第二段是最近一次送出本機的查核點；請與本所印出或寄存者核對。其第一行的代號與第一段不同時，以 also 開頭、含第一段代號的一行是本紀錄當時的筆數與雜湊。' : '製作時尚無查核點送出本機。'}
   It prints Verified OK. ${hasOutsideCheckpoint ? 'The second part of the file is the checkpoint that last left the recorder; compare it with the office\'s printed or deposited one. Where its first line is not that of the first part, its line that begins with "also" and has that id tells how many entries this log had then, and their hash.' : 'No checkpoint had left the recorder when this was made.'}

5. 時戳 Time stamp (RFC 3161)
${token === 'follows' ? `$ openssl ts -verify -data manifest.json -in manifest.tsr -CAfile ${hasTsaCa ? 'tsa-ca.pem' : '/etc/ssl/certs/ca-certificates.crt'}
   應印出 Verification: OK。 It prints Verification: OK.` : `   未取得：${TIMESTAMP_TEXTS[token].zh}。日後取得者，以 manifest.tsr 另行附上。
   Not obtained: ${TIMESTAMP_TEXTS[token].en}. One that is obtained later is added as manifest.tsr.`}

6. 全部檢查（含每一筆影像紀錄與稽核證明） All checks, each video record and audit proof included
   custos verify 資料夾 --fingerprint 指紋 --checkpoint 本所查核點檔
   或以瀏覽器開啟 player/player.html。 Or open player/player.html in a browser.
`
}

const NOT_TOLD = '未登錄 not on record'
/** A camera that is fetched by its address alone tells nothing of itself. */
const deviceText = ({ maker, model, firmware }: Manifest['videos'][number]): string => {
  const told = [maker, model, firmware === null ? null : `韌體 firmware ${firmware}`].filter(text => text !== null)
  return told.length === 0 ? '攝影機未告知 not told by the camera' : told.join(' ')
}

/** `README_請先閱讀.html`: opens from disk, runs no script, asks no network. */
export function readmeHtml(facts: TextFacts): string {
  const { packageId, office, timezone, createdAt, application, key, videos, gaps, playback, token } = facts
  const played = playbackText(playback)
  const row = (cells: readonly string[]): string => `<tr>${cells.map(cell => `<td>${escaped(cell)}</td>`).join('')}</tr>`
  return `<!doctype html>
<html lang="zh-Hant-TW"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>${escaped(packageId)} 請先閱讀</title>
<style>body { font: 16px/1.7 "Noto Sans TC", "Microsoft JhengHei", sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em } table { border-collapse: collapse; width: 100% } th, td { border: 1px solid #888; padding: .3em .6em; text-align: left; vertical-align: top } code { overflow-wrap: anywhere } small { color: #444 }</style></head><body>
<h1>錄影證據複製品 ${escaped(packageId)}</h1>
<p>${escaped(office)}　${escaped(shown(createdAt, timezone))}<br>申請案 ${escaped(application.number)}　${escaped(application.formTitle)}　${escaped(application.agency)}　依據：${escaped(application.legalBasis)}</p>
<h2>這是什麼 <small>What this is</small></h2>
<p>依核准之申請自錄影系統取出的原始影像，未轉檔、未遮蔽，並附清單、數位簽章、稽核證明與保管紀錄。影像含個人資料，僅供核准之目的使用。<br><small>Footage taken by an approved application, as it was recorded, with manifest, signature, audit proofs and custody record. It holds personal data and serves the approved purpose only.</small></p>
<h2>如何播放 <small>How to play</small></h2>
<p>以瀏覽器開啟 <code>player/player.html</code>，或以 VLC 3.0 以上版本開啟 <code>video</code> 內的 MP4。<br><small>Open player/player.html in a browser, or the MP4 files in VLC.</small></p>
<p>製作時之${escaped(played.zh)}。<br><small>When it was made: ${escaped(played.en)}.</small></p>${playback.filter(({ result }) => result !== 'decoded').map(({ path, decoded, pictures }) => `<p><code>${escaped(path)}</code> ${decoded}/${pictures}</p>`).join('')}
<table><tr><th>鏡頭 Camera</th><th>區位 Place</th><th>設備 Device</th><th>開始 From</th><th>結束 To</th><th>檔案 File</th></tr>${videos.map(video => row([video.cameraName, video.location ?? NOT_TOLD, deviceText(video), shown(video.firstFrameAt, timezone), shown(video.endAt, timezone), video.path])).join('')}</table>
<h2>沒有影像的時段 <small>Spans without footage</small></h2>
${gaps.length === 0 ? '<p>無。 None.</p>' : `<table><tr><th>鏡頭 Camera</th><th>開始 From</th><th>結束 To</th><th>原因 Cause</th></tr>${gaps.map(gap => row([gap.cameraName, shown(gap.from, timezone), shown(gap.to, timezone), `${gap.cause.zh} ${gap.cause.en}`])).join('')}</table>`}
<h2>如何驗證 <small>How to verify</small></h2>
<p>依 <code>VERIFY.txt</code> 的步驟；只需 sha256sum 與 openssl。金鑰指紋（請與封面及本所公告核對）：<br><code>${escaped(key.fingerprint)}</code><br>RFC 3161 時戳：${token === 'follows' ? '見 manifest.tsr' : `未取得：${TIMESTAMP_TEXTS[token].zh}`}</p>
<h2>有疑問 <small>Whom to ask</small></h2><p>請洽 ${escaped(office)} 錄影監視系統管理人員，並告知編號 ${escaped(packageId)}。</p>
</body></html>
`
}
