// All headers of one request, by their names in lower case; of one that came twice the values are joined by ",".
import type { HttpRequest } from "uWebSockets.js";

/** A few names are looked for in some ten: a list is made faster than a table, and is as fast to look into. */
export class HeaderList {
  readonly #names: string[] = [];
  readonly #values: string[] = [];

  constructor(req: Pick<HttpRequest, "forEach">) {
    HeaderList.#filling = this;
    req.forEach(HeaderList.#add); // calls back at once
  }

  get(name: string): string | undefined {
    const index = this.#names.indexOf(name);
    return index === -1 ? undefined : this.#values[index];
  }

  static #filling: HeaderList;
  static readonly #add = (name: string, value: string): void => {
    const list = HeaderList.#filling;
    const index = list.#names.indexOf(name);
    if (index === -1) {
      list.#names.push(name);
      list.#values.push(value);
    } else list.#values[index] = `${list.#values[index]},${value}`;
  };
}
