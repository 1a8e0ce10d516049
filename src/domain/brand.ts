/** Makes `Base` distinct from every other type that is a `Base` underneath; values come only from parse functions. */
declare const brand: unique symbol
export type Branded<Base, Name extends string> = Base & { readonly [brand]: Name }
