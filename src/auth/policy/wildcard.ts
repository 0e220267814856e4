// Patterns of the policy language: "*" is any run of characters, "?" any one. Compared in time that grows with the product
// of both lengths at the worst, whoever writes the pattern.

/** A pattern in pieces: what is literal, and what is a wildcard; a variable may have put a literal "*" into it. */
export type Pattern = readonly (string | Wildcard)[];
export type Wildcard = typeof ANY | typeof ONE;
export const ANY = Symbol("*");
export const ONE = Symbol("?");

export function patternOf(text: string): Pattern {
  const pieces: (string | Wildcard)[] = [];
  let literal = "";
  for (const character of text) {
    if (character !== "*" && character !== "?") {
      literal += character;
      continue;
    }
    if (literal !== "") pieces.push(literal);
    literal = "";
    pieces.push(character === "*" ? ANY : ONE);
  }
  if (literal !== "") pieces.push(literal);
  return pieces;
}

/** Whether all of `text` is what the pattern says. */
export function matches(pattern: Pattern, text: string): boolean {
  let piece = 0;
  let at = 0;
  let starPiece = -1; // the last "*" passed, and where what it stands for ended when it was tried last
  let starAt = 0;
  for (;;) {
    const next = pattern[piece];
    if (next === undefined && at === text.length) return true;
    if (next === ANY) {
      starPiece = piece++;
      starAt = at;
    } else if (next === ONE && at < text.length) {
      piece++;
      at++;
    } else if (typeof next === "string" && text.startsWith(next, at)) {
      piece++;
      at += next.length;
    } else if (starPiece !== -1 && starAt < text.length) {
      piece = starPiece + 1;
      at = ++starAt;
    } else return false;
  }
}

/** arn:partition:service:region:account:resource, the last of which may have colons in it. */
export const ARN_PARTS = 6;

/**
 * Whether `arn` is what the pattern says: a wildcard stays within its part of the ARN, but for the last part of the
 * pattern, where it reaches to the end. "arn:aws:sqs:*" is every queue, "arn:aws:sqs:*:orders" none.
 */
export function matchesArn(pattern: Pattern, arn: string): boolean {
  return matchesParts(arnPatterns(pattern), arn);
}

/** @param parts of an ARN's pattern: as many as there are, the last one for all the rest */
export function matchesParts(parts: readonly Pattern[], arn: string): boolean {
  const texts = arn.split(":");
  const rest = texts.splice(parts.length - 1).join(":");
  return texts.length === parts.length - 1 && parts.every((part, i) => matches(part, texts[i] ?? rest));
}

/** A pattern at its colons, in six parts at most. */
export function arnPatterns(pattern: Pattern): readonly Pattern[] {
  const parts: (string | Wildcard)[][] = [[]];
  for (const piece of pattern) {
    const texts = typeof piece === "string" ? piece.split(":") : [];
    if (typeof piece !== "string") parts.at(-1)?.push(piece);
    texts.forEach((text, i) => {
      if (i > 0 && parts.length < ARN_PARTS) parts.push([]);
      else if (i > 0) parts.at(-1)?.push(":");
      if (text !== "") parts.at(-1)?.push(text);
    });
  }
  return parts;
}
