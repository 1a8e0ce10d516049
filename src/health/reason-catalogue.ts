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
  'stream-no-frames': says('{subject} 錄影中但沒有新影像', '{subject}: recording, but no new frame arrives',
    '查看攝影機即時畫面與網路；數秒後系統會自動重連', 'Look at the camera and the network; the recorder reconnects by itself in a few seconds'),
  'stream-connecting': says('{subject} 尚未連上攝影機', '{subject}: not connected to the camera yet',
    '確認攝影機已開機並接上網路', 'Check that the camera is powered and on the network'),
} as const satisfies Record<DownCode, Wording>

/** A volume that cannot be recorded to, by its state. */
const VOLUME_BAD = {
  'volume-missing': says('磁碟區 {subject} 不存在', 'Volume {subject} is missing',
    '檢查磁碟是否接妥、資料夾是否還在；不要重新建立', 'Check that the disk is attached and its folder is there; do not create it anew'),
  'volume-foreign': says('磁碟區 {subject} 不屬於本錄影機', 'Volume {subject} belongs to another recorder',
    '確認沒有接錯磁碟，再核對設定檔的磁碟區代號', 'Check that the right disk is attached, then the volume id in the configuration'),
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
  'forecast-short': says('照目前用量只能保存 {days} 天（應有 45 天以上餘裕）', 'At the present rate footage is kept {days} days (45 leave a margin)',
    '安排增加磁碟容量或降低攝影機位元率', 'Plan for more disk space or lower bitrates'),
  'forecast-critical': says('照目前用量只能保存 {days} 天，即將不足一個月', 'At the present rate footage is kept {days} days: soon less than the month',
    '立即增加磁碟容量或降低攝影機位元率', 'Add disk space or lower bitrates now'),
  'catalogue-failed': says('影像目錄資料庫無法使用', 'The catalogue database does not work',
    '檢查系統磁碟空間與健康狀態；必要時以 rebuild 指令重建', 'Check the system disk\'s space and health; if needed recreate it with the rebuild command'),
  'event-loop-delayed': says('錄影程式反應延遲 {delayMs} 毫秒', 'The recorder reacts {delayMs} ms late',
    '檢查主機負載與其他程式', 'Check the machine\'s load and what else runs on it'),
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
