import type { GapCause } from '../../domain/index.ts'

/** Why a granted span has no picture: what the catalogue noted, or what packing found. */
export type PackageGapCause = GapCause | 'before-first-key-frame' | 'no-footage' | 'record-unreadable' | 'volume-away' | 'end-of-decodable'
interface Said { readonly zh: string, readonly en: string }

export const GAP_TEXTS: Readonly<Record<PackageGapCause, Said>> = {
  'unreachable': { zh: '連不上攝影機', en: 'the camera could not be reached' },
  'refused': { zh: '攝影機拒絕連線', en: 'the camera refused the connection' },
  'auth-refused': { zh: '攝影機不接受帳號密碼', en: 'the camera refused the password' },
  'no-such-stream': { zh: '攝影機沒有這個串流', en: 'the camera has no such stream' },
  'codec-unsupported': { zh: '影像格式不支援', en: 'the picture format is not supported' },
  'closed-by-camera': { zh: '攝影機中斷了連線', en: 'the camera closed the connection' },
  'stalled': { zh: '攝影機停止傳送', en: 'the camera stopped sending' },
  'timestamps-jumped': { zh: '攝影機的時間戳記跳動', en: 'the time stamps of the camera jumped' },
  'parameter-sets-changed': { zh: '攝影機的編碼設定改變', en: 'the encoder settings of the camera changed' },
  'bad-stream': { zh: '攝影機傳來無法辨識的資料', en: 'the camera sent what could not be read' },
  'onvif-failed': { zh: '攝影機未提供串流位址', en: 'the camera did not give its stream address' },
  'recorder-stopped': { zh: '錄影機停機', en: 'the recorder was stopped' },
  'recorder-killed': { zh: '錄影機非正常中止', en: 'the recorder ended without being asked' },
  'clock-stepped': { zh: '系統時鐘被調整', en: 'the clock of the recorder was set' },
  'storage-failed': { zh: '儲存裝置寫入失敗', en: 'the disk refused the data' },
  'storage-full': { zh: '儲存空間皆在保存期限內，無處可寫', en: 'no space was left that may be overwritten' },
  'storage-too-slow': { zh: '儲存裝置過慢', en: 'the disk was too slow' },
  'ffmpeg-failed': { zh: '收錄程式失敗', en: 'the receiving program failed' },
  'removed-from-config': { zh: '鏡頭已自設定移除', en: 'the camera was taken out of the configuration' },
  'stepped-down': { zh: '依犧牲順序降低錄影', en: 'recording was stepped down by the order of sacrifice' },
  'stepped-up': { zh: '依犧牲順序恢復錄影', en: 'recording was stepped up again' },
  'stopped-for-floor': { zh: '為確保最短保存期限而停止錄影', en: 'stopped so that the retention floor holds' },
  'slot-budget': { zh: '用量超過配額', en: 'it used more space than its budget' },
  'no-frames': { zh: '連線中但沒有畫面', en: 'connected, but no pictures came' },
  'key-frames-only': { zh: '依犧牲順序只錄關鍵畫面', en: 'only key frames were recorded, by the order of sacrifice' },
  'starting': { zh: '尚未開始錄影', en: 'recording had not begun' },
  'unknown': { zh: '原因不明（目錄自磁碟重建）', en: 'not known: the catalogue was rebuilt from the disks' },
  'before-first-key-frame': { zh: '核准時段內第一個關鍵畫面之前，未核准往前預錄', en: 'before the first key frame inside the grant; earlier pictures were not granted' },
  'no-footage': { zh: '沒有影像：未曾錄影或已循環覆蓋', en: 'no footage stands there: never recorded, or overwritten since' },
  'record-unreadable': { zh: '儲存裝置上的資料損壞，無法讀取', en: 'the data on the disk is damaged and cannot be read' },
  'volume-away': { zh: '製作時存放的磁碟無法使用，影像可能仍在該磁碟', en: 'the disk that holds it was not in use when the copy was made; it may still be there' },
  'end-of-decodable': { zh: '核准時段末尾少於一個畫面的間隔', en: 'less than the time of one picture at the end of the grant' },
}
