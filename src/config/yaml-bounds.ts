import { CST, Lexer } from 'yaml'
import { LIMITS } from './defaults.ts'

/** Whether `text` is small and flat enough for the parser, which recurses and keeps every token. Reads no further than the first excess. */
export function isWithinBounds(text: string): boolean {
  let tokens = 0
  let brackets = 0
  let indicators = 0 // since the line, bracket or comma began: "- - -" nests three deep
  let atLineStart = true
  for (const token of new Lexer().lex(text)) {
    if (++tokens > LIMITS.yamlTokens) return false
    const type = CST.tokenType(token)
    if (type === 'space' && atLineStart && token.length > LIMITS.yamlIndentChars) return false
    atLineStart = type === 'newline'
    switch (type) {
      case 'flow-map-start': case 'flow-seq-start': brackets += 1; indicators = 0; break
      case 'flow-map-end': case 'flow-seq-end': brackets -= 1; indicators = 0; break
      case 'newline': case 'comma': indicators = 0; break
      case 'seq-item-ind': case 'explicit-key-ind': case 'map-value-ind': indicators += 1; break
      default: break
    }
    if (brackets > LIMITS.yamlDepth || indicators > LIMITS.yamlDepth) return false
  }
  return true
}
