// The part of the WebAssembly JavaScript interface that the core's door and the log use; the compiler has it only with the whole DOM.
declare namespace WebAssembly {
  class Memory {
    constructor(pages: { readonly initial: number; readonly maximum: number }); // of 64 KiB
    readonly buffer: ArrayBuffer;
  }
  class Module {
    constructor(bytes: Uint8Array);
    static imports(module: Module): readonly { readonly module: string; readonly name: string }[];
  }
  class Instance {
    constructor(module: Module, imports: Readonly<Record<string, never>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
