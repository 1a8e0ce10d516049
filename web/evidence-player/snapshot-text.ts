import { rocText, utcText } from './time-text.ts'

export interface SnapshotFacts { readonly caseNumber: string, readonly packageId: string, readonly camera: string, readonly atMs: number, readonly path: string, readonly sha256: string | null, readonly frame: number }

/** The lines that are burnt in beneath a picture, and the name of its file. */
export function snapshotText({ caseNumber, packageId, camera, atMs, path, sha256, frame }: SnapshotFacts): { readonly lines: readonly string[], readonly name: string } {
  const stamp = new Date(Math.floor(atMs)).toISOString().replace(/[-:.]/g, '')
  const safe = `${caseNumber || packageId || 'snapshot'}_${camera}_${stamp}`.replace(/[^\p{L}\p{N}_-]+/gu, '-').slice(0, 120)
  return {
    lines: [
      `案號 Case ${caseNumber || '—'}　套件 Package ${packageId || '—'}`, `攝影機 Camera ${camera}`, `${rocText(atMs)}（臺北 Taipei）　${utcText(atMs)}`,
      `檔案 File ${path}　該筆第 ${frame + 1} 格 frame ${frame + 1} of its record`, `SHA-256 ${sha256 ?? '未提供清單 no list was given'}`,
    ],
    name: `${safe}.png`,
  }
}
