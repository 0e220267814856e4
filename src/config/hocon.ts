// The part of HOCON that ElasticMQ's files are written in: comments, nested and merged objects, dotted and quoted keys,
// lists, quoted and unquoted values. What the format has besides (substitutions, joining, appending, other files) is
// refused with its line.
import { type Branch, DEPTH_MAX, type Mistakes, NODE_COUNT_MAX, type Tree } from "./tree.ts";

/** Every file of ElasticMQ's begins with it; it stands for ElasticMQ's defaults, which are its readers' business. */
const DEFAULTS_INCLUDE = /^include\s+(?:required\s*\(\s*)?classpath\s*\(\s*"application(?:\.conf)?"\s*\)\s*\)?/;
const UNQUOTED = /(?:[^$"{}[\]:=,+#`^?!@*&\\\n\r/]|\/(?!\/))+/y;
const KEY = /[^$"{}[\]:=,+#`^?!@*&\\\n\r\s.]+/y;
const QUOTED = /"(?:[^"\\\n]|\\.)*"/y;
const SPACE = /[^\S\n]+/y;

class Refused extends Error {
  readonly line: number;

  constructor(line: number, text: string) {
    super(text);
    this.line = line;
  }
}

/** @returns undefined if there is a mistake: it is in `mistakes` */
export function parseHocon(text: string, mistakes: Mistakes): Branch | undefined {
  try {
    return new Parser(text).file();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    mistakes.add(error.line, error.message);
    return undefined;
  }
}

/** While it is being read: objects of one name are merged. */
interface Building {
  readonly kind: "map";
  readonly line: number;
  readonly entries: Map<string, Tree | Building>;
}

class Parser {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #nodeCount = 0;

  constructor(text: string) {
    this.#text = text;
  }

  file(): Branch {
    const root: Building = { kind: "map", line: 1, entries: new Map() };
    this.#skip(true);
    if (this.#is("{")) {
      this.#at++;
      this.#members(root, "}", 1);
    } else this.#members(root, "", 1);
    this.#skip(true);
    if (this.#at < this.#text.length) throw this.#refuse(`"${this.#char()}" after the end`);
    return root as Branch; // nothing is built any more
  }

  #char(): string {
    return this.#text[this.#at] ?? "";
  }

  #is(start: string): boolean {
    return this.#text.startsWith(start, this.#at);
  }

  #refuse(text: string): Refused {
    return new Refused(this.#line, text);
  }

  #match(expression: RegExp): string {
    expression.lastIndex = this.#at;
    const [found = ""] = expression.exec(this.#text) ?? [];
    this.#at += found.length;
    return found;
  }

  /** Spaces and comments, and newlines if they mean nothing here. @returns whether there was a newline */
  #skip(newlines: boolean): boolean {
    let met = false;
    for (;;) {
      this.#match(SPACE);
      if (this.#is("//") || this.#is("#")) {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = end === -1 ? this.#text.length : end;
      } else if (newlines && this.#is("\n")) {
        this.#at++;
        this.#line++;
        met = true;
      } else return met;
    }
  }

  #members(into: Building, closing: "}" | "", depth: number): void {
    for (;;) {
      this.#skip(true);
      if (this.#at >= this.#text.length) {
        if (closing === "") return;
        throw this.#refuse(`the file ends, but not the object that began in line ${into.line}`);
      }
      if (closing !== "" && this.#is(closing)) {
        this.#at++;
        return;
      }
      this.#member(into, depth);
      if (!this.#skip(true) && !this.#is(",") && !this.#is(closing || "\0") && this.#at < this.#text.length) {
        throw this.#refuse(`"${this.#char()}", where a new line, a comma or the end is needed`);
      }
      if (this.#is(",")) this.#at++;
    }
  }

  #member(into: Building, depth: number): void {
    if (this.#is("include") && /^include\s/.test(this.#text.slice(this.#at, this.#at + 8))) {
      this.#include();
      return;
    }
    const path = this.#path();
    const line = this.#line;
    this.#skip(false);
    if (this.#is("+=")) throw this.#refuse("+= is not read here: write the whole list");
    const hasSign = this.#is("=") || this.#is(":");
    if (hasSign) this.#at++;
    else if (!this.#is("{")) throw this.#refuse(`"=", ":" or "{" is needed after ${path.join(".")}`);
    this.#skip(true);
    let parent = into;
    for (const name of path.slice(0, -1)) parent = this.#child(parent, name, line);
    const name = path.at(-1) as string; // a path has one part at least
    if (this.#is("{")) {
      this.#at++;
      this.#deeper(depth + path.length);
      this.#members(this.#child(parent, name, line), "}", depth + path.length);
    } else {
      parent.entries.set(name, { ...this.#value(depth), line });
    }
    this.#skip(false);
    if (this.#is("{") || this.#is("[") || this.#is('"') || this.#is("$")) {
      throw this.#refuse("values that are joined from several are not read here: write one");
    }
  }

  #include(): void {
    const end = this.#text.indexOf("\n", this.#at);
    const line = this.#text.slice(this.#at, end === -1 ? undefined : end);
    const found = DEFAULTS_INCLUDE.exec(line);
    if (found === null) {
      throw this.#refuse(`${line.trim()}: other files are not read; write their settings here`);
    }
    this.#at += found[0].length;
  }

  #child(parent: Building, name: string, line: number): Building {
    const there = parent.entries.get(name);
    if (there?.kind === "map") return there as Building; // only this parser makes maps
    this.#deeper(0);
    const child: Building = { kind: "map", line, entries: new Map() };
    parent.entries.set(name, child);
    return child;
  }

  #deeper(depth: number): void {
    if (++this.#nodeCount > NODE_COUNT_MAX) throw this.#refuse(`more than ${NODE_COUNT_MAX} values`);
    if (depth > DEPTH_MAX) throw this.#refuse(`more than ${DEPTH_MAX} objects inside one another`);
  }

  #path(): string[] {
    const parts: string[] = [];
    for (;;) {
      const part = this.#is('"') ? this.#quoted() : this.#match(KEY);
      if (part === "") throw this.#refuse(this.#is("${") ? SUBSTITUTION : `"${this.#char()}", where a name is needed`);
      parts.push(part);
      this.#skip(false);
      if (!this.#is(".")) return parts;
      this.#at++;
    }
  }

  #value(depth: number): Tree {
    this.#deeper(depth);
    const line = this.#line;
    if (this.#is("[")) return this.#list(depth + 1);
    if (this.#is('"')) {
      const text = this.#quoted();
      return { kind: "scalar", line, value: text, text };
    }
    if (this.#is("${")) throw this.#refuse(SUBSTITUTION);
    return this.#unquoted(line);
  }

  #list(depth: number): Tree {
    const line = this.#line;
    const items: Tree[] = [];
    this.#at++;
    for (;;) {
      this.#skip(true);
      if (this.#is("]")) {
        this.#at++;
        return { kind: "list", line, items };
      }
      if (this.#at >= this.#text.length)
        throw this.#refuse(`the file ends, but not the list that began in line ${line}`);
      if (this.#is("{")) {
        const item: Building = { kind: "map", line: this.#line, entries: new Map() };
        this.#at++;
        this.#deeper(depth);
        this.#members(item, "}", depth + 1);
        items.push(item as Branch);
      } else items.push(this.#value(depth));
      if (!this.#skip(true) && !this.#is(",") && !this.#is("]") && this.#at < this.#text.length) {
        throw this.#refuse(`"${this.#char()}", where a comma or "]" is needed`);
      }
      if (this.#is(",")) this.#at++;
    }
  }

  /** JSON's strings; those in three quotes, with newlines in them, are taken as they stand. */
  #quoted(): string {
    if (this.#is('"""')) {
      const end = this.#text.indexOf('"""', this.#at + 3);
      if (end === -1) throw this.#refuse('""" is not closed');
      const text = this.#text.slice(this.#at + 3, end);
      this.#at = end + 3;
      this.#line += text.split("\n").length - 1;
      return text;
    }
    const literal = this.#match(QUOTED);
    if (literal === "") throw this.#refuse('" is not closed in its line');
    try {
      return JSON.parse(literal) as string; // it is in quotes
    } catch {
      throw this.#refuse(`${literal} has an escape that is none`);
    }
  }

  #unquoted(line: number): Tree {
    const text = this.#match(UNQUOTED).trim();
    const isEnd = this.#at >= this.#text.length || /[,}\]#\n\r/]/.test(this.#char());
    if (!isEnd) {
      if (this.#is("${")) throw this.#refuse(SUBSTITUTION);
      throw this.#refuse(`"${this.#char()}" in a value: put it in quotes`);
    }
    if (text === "") throw this.#refuse("a value is missing");
    const value =
      text === "true"
        ? true
        : text === "false"
          ? false
          : text === "null"
            ? null
            : NUMBER.test(text)
              ? Number(text)
              : text;
    return { kind: "scalar", line, value, text };
  }
}

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const SUBSTITUTION = "$" + "{...} is not read here: write the value, or use a flag or an environment variable";
