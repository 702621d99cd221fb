/** The part of JSON Schema that the control API is described with, and a checker for it: what `/openapi.json` says is what is held. */

export interface Schema {
  readonly type?: SchemaType | readonly SchemaType[];
  readonly description?: string;
  readonly enum?: readonly (string | number | null)[];
  readonly const?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly minLength?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly anyOf?: readonly Schema[];
  readonly $ref?: string;
  readonly examples?: readonly unknown[];
}

type SchemaType = "object" | "array" | "string" | "integer" | "number" | "boolean" | "null";

/** A schema for each key of T: the compiler finds the one that is missing or too much. */
export type SchemasOf<T> = { readonly [K in keyof Required<T>]: Schema };

/** An object whose keys are all required, unless they are named in `optional`. */
export function object<T>(
  properties: SchemasOf<T>,
  options: { description?: string; optional?: readonly (keyof T & string)[]; closed?: boolean } = {},
): Schema {
  const optional: readonly string[] = options.optional ?? [];
  return {
    type: "object",
    ...(options.description === undefined ? {} : { description: options.description }),
    properties,
    required: Object.keys(properties).filter((key) => !optional.includes(key)),
    ...(options.closed === true ? { additionalProperties: false } : {}),
  };
}

/** The same schema, or `null`. */
export function nullable(schema: Schema): Schema {
  if (typeof schema.type === "string" && schema.enum === undefined) {
    return { ...schema, type: [schema.type, "null"] };
  }
  return { anyOf: [schema, { type: "null" }] };
}

/**
 * Checks a parsed JSON value.
 *
 * @param resolve finds what a `$ref` names
 * @param at where the value stands, for the messages
 * @returns what is wrong, a sentence each; empty when nothing is
 */
export function checkValue(
  value: unknown,
  schema: Schema,
  resolve: (ref: string) => Schema,
  at = "the body",
): string[] {
  if (schema.$ref !== undefined) return checkValue(value, resolve(schema.$ref), resolve, at);
  if (schema.anyOf !== undefined) return checkAnyOf(value, schema.anyOf, schema, resolve, at);
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((type) => hasType(value, type))) {
    return [`${at} is ${show(value)}; it has to be ${schema.description ?? types.join(" or ")}`];
  }
  if (!isAllowed(value, schema)) {
    return [`${at} is ${show(value)}; it has to be ${schema.description ?? describeBounds(schema)}`];
  }
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined
      ? []
      : value.flatMap((item, index) => checkValue(item, items, resolve, `${at}[${index}]`));
  }
  return typeof value === "object" && value !== null
    ? checkObject(value as Record<string, unknown>, schema, resolve, at)
    : [];
}

function checkAnyOf(
  value: unknown,
  choices: readonly Schema[],
  schema: Schema,
  resolve: (ref: string) => Schema,
  at: string,
): string[] {
  const results = choices.map((choice) => checkValue(value, choice, resolve, at));
  if (results.some((errors) => errors.length === 0)) return [];
  if (schema.description !== undefined)
    return [`${at} is ${show(value)}; it has to be ${schema.description}`];
  return results[0] ?? [];
}

function checkObject(
  value: Record<string, unknown>,
  schema: Schema,
  resolve: (ref: string) => Schema,
  at: string,
): string[] {
  const properties = schema.properties ?? {};
  const errors: string[] = [];
  for (const key of schema.required ?? []) {
    if (!Object.hasOwn(value, key)) errors.push(`${at} lacks "${key}"`);
  }
  for (const [key, item] of Object.entries(value)) {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (property !== undefined) errors.push(...checkValue(item, property, resolve, `"${key}"`));
    else if (schema.additionalProperties === false) {
      const known = Object.keys(properties).map((name) => `"${name}"`);
      errors.push(
        `${at} has the unknown key "${key}"; ${known.length === 0 ? "it takes none" : `known: ${known.join(", ")}`}`,
      );
    }
  }
  return errors;
}

function hasType(value: unknown, type: SchemaType): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isSafeInteger(value);
    default:
      return typeof value === type;
  }
}

function isAllowed(value: unknown, schema: Schema): boolean {
  if (schema.const !== undefined && value !== schema.const) return false;
  if (schema.enum !== undefined && !schema.enum.includes(value as string)) return false;
  if (typeof value === "number") return schema.minimum === undefined || value >= schema.minimum;
  if (typeof value !== "string") return true;
  if (schema.minLength !== undefined && value.length < schema.minLength) return false;
  return schema.pattern === undefined || new RegExp(schema.pattern).test(value);
}

function describeBounds(schema: Schema): string {
  if (schema.const !== undefined) return show(schema.const);
  if (schema.enum !== undefined) return `one of ${schema.enum.map(show).join(", ")}`;
  if (schema.minimum !== undefined) return `${schema.minimum} or more`;
  return schema.minLength !== undefined ? "not empty" : `of the form ${schema.pattern}`;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
