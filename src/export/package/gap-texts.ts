import { GAP_CAUSE_TEXTS, type GapCause } from '../../domain/index.ts'

/** Why a granted span has no picture: what the catalogue noted, or what packing found. */
export type PackageGapCause = GapCause | 'before-first-key-frame' | 'no-footage' | 'record-unreadable' | 'volume-away' | 'end-of-decodable'
interface Said { readonly zh: string, readonly en: string }

export const GAP_TEXTS: Readonly<Record<PackageGapCause, Said>> = {
  ...GAP_CAUSE_TEXTS,
  'before-first-key-frame': { zh: '核准時段內第一個關鍵畫面之前，未核准往前預錄', en: 'before the first key frame inside the grant; earlier pictures were not granted' },
  'no-footage': { zh: '沒有影像：未曾錄影或已循環覆蓋', en: 'no footage stands there: never recorded, or overwritten since' },
  'record-unreadable': { zh: '儲存裝置上的資料損壞，無法讀取', en: 'the data on the disk is damaged and cannot be read' },
  'volume-away': { zh: '製作時存放的磁碟無法使用，影像可能仍在該磁碟', en: 'the disk that holds it was not in use when the copy was made; it may still be there' },
  'end-of-decodable': { zh: '核准時段末尾少於一個畫面的間隔', en: 'less than the time of one picture at the end of the grant' },
}
