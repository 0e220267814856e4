// The vocabulary actions describe their input and output in. One description serves both protocols:
//
//   member            JSON                      Query input                        Query output
//   string, integer   "a": "x", "n": 1          a=x, n=1                           <a>x</a>, <n>1</n>
//   boolean, blob     true, base64 text         true, base64 text                  true, base64 text
//   list  w           "as": ["x", "y"]          w.1=x&w.2=y                        <w>x</w><w>y</w>
//   map   w, k, v     "as": {"x": "y"}          w.1.k=x&w.1.v=y                    <w><k>x</k><v>y</v></w>
//   structure         "s": {"a": "x"}           s.a=x, inside a list w.1.a=x       <s><a>x</a></s>
//
// JSON goes by the member's name, Query by its wire name `w`; on input Query takes the member's name too.
// A member that is absent, null or empty (list, map) is undefined in an input and left out of an output.

/** `plain` promises that a value never needs escaping; `numbers` takes a JSON number for a string. */
export interface StringMember {
  readonly kind: "string";
  readonly plain: boolean;
  readonly numbers: boolean;
}
export interface IntegerMember {
  readonly kind: "integer";
}
export interface BooleanMember {
  readonly kind: "boolean";
}
export interface BlobMember {
  readonly kind: "blob";
}
export interface ListMember<E extends Member = Member> {
  readonly kind: "list";
  readonly wireName: string;
  readonly of: E;
}
export interface MapMember<E extends Member = Member> {
  readonly kind: "map";
  readonly wireName: string;
  readonly keyName: "Name" | "Key";
  readonly of: E;
}
export interface StructureMember<P extends Members = Members> {
  readonly kind: "structure";
  readonly members: P;
}
export type Member =
  | StringMember
  | IntegerMember
  | BooleanMember
  | BlobMember
  | ListMember
  | MapMember
  | StructureMember;
export interface Members {
  readonly [name: string]: Member;
}

/** What an action's code sees of a member. */
export type Value<M> = M extends StringMember
  ? string
  : M extends IntegerMember
    ? number
    : M extends BooleanMember
      ? boolean
      : M extends BlobMember
        ? Buffer
        : M extends ListMember<infer E>
          ? readonly Value<E>[]
          : M extends MapMember<infer E>
            ? ReadonlyMap<string, Value<E>>
            : M extends StructureMember<infer P>
              ? Fields<P>
              : never;
export type Fields<P> = { readonly [K in keyof P]?: Value<P[K]> | undefined };

export const string: StringMember = { kind: "string", plain: false, numbers: false };
export const plainString: StringMember = { kind: "string", plain: true, numbers: false };
export const stringOrNumber: StringMember = { kind: "string", plain: false, numbers: true };
export const integer: IntegerMember = { kind: "integer" };
export const boolean: BooleanMember = { kind: "boolean" };
export const blob: BlobMember = { kind: "blob" };

export function list<E extends Member>(wireName: string, of: E): ListMember<E> {
  return { kind: "list", wireName, of };
}
export function map<E extends Member>(wireName: string, keyName: "Name" | "Key", of: E): MapMember<E> {
  return { kind: "map", wireName, keyName, of };
}
export function structure<P extends Members>(members: P): StructureMember<P> {
  return { kind: "structure", members };
}

// Members that several actions share.
export const messageAttribute = structure({
  DataType: string,
  StringValue: string,
  BinaryValue: blob,
  StringListValues: list("StringListValue", string),
  BinaryListValues: list("BinaryListValue", blob),
});
export const messageAttributes = map("MessageAttribute", "Name", messageAttribute);
export const messageSystemAttributes = map("MessageSystemAttribute", "Name", messageAttribute);
export const batchFailures = list(
  "BatchResultErrorEntry",
  structure({ Id: plainString, SenderFault: boolean, Code: plainString, Message: string }),
);

export type MessageAttribute = Value<typeof messageAttribute>;
export type BatchFailure = Value<typeof batchFailures>[number];
