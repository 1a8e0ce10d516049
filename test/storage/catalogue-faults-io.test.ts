import t from 'tap'
import { learn, recordingPhase, testPhase, turnedRing } from './support/sick-catalogue.ts'

const phase = recordingPhase(await turnedRing(t))
testPhase(t, phase, await learn(t, phase), ['busy', 'io-read', 'io-write'])
