import t from 'tap'
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { epochMs } from '../../../src/domain/index.ts'
import { RequestComposer } from '../../../src/ingest/onvif/request-composer.ts'
import { readXml } from '../../../src/ingest/onvif/xml-element.ts'

t.test('takes every question from the package, well formed and named', t => {
  const composer = new RequestComposer({ username: 'a<&>b', password: '密碼' })
  composer.setDeviceTime(epochMs(Date.now()))
  const asked = [composer.systemDateAndTime(), composer.authenticatedSystemDateAndTime(), composer.services(), composer.capabilities(), composer.deviceInformation(),
    composer.profiles('media'), composer.profiles('media2'), composer.streamUri('media', '<&>'), composer.streamUri('media2', '<&>')]
  for (const { body } of asked) readXml(body)
  t.same(asked.map(request => `${request.service} ${request.action.replace('http://www.onvif.org/', '')}`), [
    'device ver10/device/wsdl/GetSystemDateAndTime', 'device ver10/device/wsdl/GetSystemDateAndTime', 'device ver10/device/wsdl/GetServices', 'device ver10/device/wsdl/GetCapabilities',
    'device ver10/device/wsdl/GetDeviceInformation', 'media ver10/media/wsdl/GetProfiles', 'media2 ver20/media/wsdl/GetProfiles', 'media ver10/media/wsdl/GetStreamUri', 'media2 ver20/media/wsdl/GetStreamUri'])
  t.same(asked.map(request => request.secrets.length), [0, 2, 2, 2, 2, 2, 2, 2, 2], 'digest and nonce are named as secrets')
  t.notMatch(asked[0]?.body, 'Security', 'the clock is asked for without a credential first')
  t.end()
})

t.test('hashes the password as UTF-8 and dates the token by the device clock', t => {
  const composer = new RequestComposer({ username: 'u', password: '密碼ö' })
  const deviceNow = Date.UTC(1999, 0, 1)
  composer.setDeviceTime(epochMs(deviceNow))
  const { body } = composer.services()
  const value = (name: string) => new RegExp(`<${name}[^>]*>([^<]+)<`).exec(body)?.[1] ?? ''
  t.ok(Math.abs(Date.parse(value('Created')) - deviceNow) < 1000)
  const digest = createHash('sha1').update(Buffer.from(value('Nonce'), 'base64')).update(value('Created')).update('密碼ö').digest('base64')
  t.equal(value('Password'), digest)
  t.end()
})

t.test('adds no credential where there is none', t => {
  t.notMatch(new RequestComposer(null).services().body, 'UsernameToken')
  t.end()
})

t.test('rests on the very version of the package it was written against', t => {
  const { version } = JSON.parse(readFileSync(new URL('../../../node_modules/onvif/package.json', import.meta.url), 'utf8')) as { version: string }
  t.equal(version, '0.8.3', 'read lib/cam.js of another version before changing this line: requests must still go through _request')
  t.end()
})

t.test('is the only file that imports the package', t => {
  const root = new URL('../../../src/', import.meta.url).pathname
  const importers = globSync('**/*.ts', { cwd: root }).filter(file => /from 'onvif[/']/.test(readFileSync(`${root}/${file}`, 'utf8')))
  t.same(importers, ['ingest/onvif/request-composer.ts'])
  t.end()
})
