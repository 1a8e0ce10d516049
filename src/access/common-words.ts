/** What is tried first, in lower case and spelled plainly: the heads of published lists of leaked passwords, and what an office in Taipei leans on. */
export const COMMON_WORDS: readonly string[] = `
password passw0rd passwd pass word admin administrator root user guest login welcome letmein master secret changeme default test testing demo temp temporary
qwerty qwertz azerty iloveyou monkey dragon sunshine princess football baseball superman batman shadow michael jennifer jordan hunter ranger killer trustno1 starwars
hello access flower summer winter spring autumn january february march april june july august september october november december monday tuesday wednesday thursday friday saturday sunday
computer internet server network system camera video recorder monitor security secure surveillance cctv nvr dvr custos hikvision dahua ubnt cisco
office taipei taiwan xinyi hsinyi household registration government gov city service clerk manager boss
a123456 abc123 aa123456 woaini wang chen lin zhang huang lee password123 p@ssw0rd 5201314 1314520 520 1314 168 888 666
台北 臺北 台灣 臺灣 信義 信義區 戶政 事務所 戶政事務所 監視 錄影 監視系統 密碼 系統 管理 管理員 主任 課長 秘書
`.trim().split(/\s+/)
