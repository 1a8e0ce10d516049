type Child = Node | string | null
type Props = Readonly<Record<string, string | boolean | number | ((event: Event) => void)>>

/** Makes an element. Text only ever becomes text nodes, so nothing that a package says can become markup. */
export function el<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: readonly Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(name, value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== false) element.setAttribute(name, String(value))
  }
  element.append(...children.filter(child => child !== null))
  return element
}

/** Chinese, and English beside it. */
export const both = (zh: string, en: string): (Node | string)[] => [el('span', { class: 'zh' }, zh), ' ', el('span', { class: 'en', lang: 'en' }, en)]

export function byId(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no ${id}`)
  return element
}

export const inputById = (id: string): HTMLInputElement => byId(id) as HTMLInputElement
