import { cameraUuid, epochMs, type CameraUuid, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** An approved reference image. */
export interface ReferenceImage { readonly id: string, readonly camera: CameraUuid, readonly takenAt: EpochMs, readonly sizeBytes: number, readonly sha256: string, readonly approvedBy: string, readonly approvedSeq: number }
interface Raw { id: string, camera_uuid: string, taken_at: number, size_bytes: number, sha256: string, approved_by: string, approved_seq: number }

/** Table `reference_image`. */
export function referenceImageTable(db: Db) {
  const add = db.prepare<[string, string, number, number, string, string, number]>('INSERT INTO reference_image (id, camera_uuid, taken_at, size_bytes, sha256, approved_by, approved_seq) VALUES (?, ?, ?, ?, ?, ?, ?)')
  const ofCamera = db.prepare<[string], Raw>('SELECT * FROM reference_image WHERE camera_uuid = ? ORDER BY approved_seq DESC')
  return {
    add(image: ReferenceImage): void { add.run(image.id, image.camera, image.takenAt, image.sizeBytes, image.sha256, image.approvedBy, image.approvedSeq) },
    /** The one in force first. */
    ofCamera: (camera: CameraUuid): ReferenceImage[] => ofCamera.all(camera).map(raw => ({
      id: raw.id, camera: cameraUuid(raw.camera_uuid), takenAt: epochMs(raw.taken_at), sizeBytes: raw.size_bytes, sha256: raw.sha256, approvedBy: raw.approved_by, approvedSeq: raw.approved_seq,
    })),
  }
}
