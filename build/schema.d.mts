import type { INamespace } from "protobufjs";

export function schemaOf(proto: string): INamespace;
export function clientSchemaOf(proto: string): string;
