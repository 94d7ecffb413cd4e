/** A file of settings as a JSON Schema for editors, found out by reading one in which every key is asked for. */
import type { Parser } from './parsers.ts';
import type { Setting } from './rules.ts';
import type { YamlSection } from './yaml-section.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Stands for any name where names are the author's own, as in `env`. */
const ANY_NAME = 'NAME';
const SCALAR = { type: ['string', 'number', 'boolean'] };

/** What may stand at one key: single values, lists and groups of settings. */
class KeyShape {
  readonly #values = new Map<string, Json>();
  #items: KeyShape | undefined;
  #least = 0;
  #group: GroupShape | undefined;

  value({ expects, json = SCALAR }: Parser<unknown>): void {
    this.#values.set(expects, { ...json, description: `${expects.charAt(0).toUpperCase()}${expects.slice(1)}.` });
  }

  items(least = 0): KeyShape {
    this.#least = least;
    this.#items ??= new KeyShape();
    return this.#items;
  }

  group(known: readonly string[] | undefined): GroupShape {
    this.#group ??= new GroupShape(known);
    return this.#group;
  }

  /** `meaning`: what people are told of it, at this path and below. */
  json(path: string, meaning: (path: string) => string | undefined): Json {
    const items = this.#items;
    const list = { type: 'array', items: items?.json(`${path}[]`, meaning), minItems: this.#least };
    const all = [
      ...this.#values.values(),
      ...(items === undefined ? [] : [list]),
      ...(this.#group === undefined ? [] : [this.#group.json(path, meaning)]),
    ];
    const said = meaning(path);
    const [first = {}, second] = all;
    const shape = second === undefined ? first : { anyOf: all };
    return said === undefined ? shape : { ...shape, description: said };
  }
}

class GroupShape {
  readonly known: readonly string[] | undefined;
  readonly keys = new Map<string, KeyShape>();
  readonly required = new Set<string>();

  constructor(known: readonly string[] | undefined) {
    this.known = known;
  }

  at(key: string): KeyShape {
    const found = this.keys.get(key) ?? new KeyShape();
    this.keys.set(key, found);
    return found;
  }

  json(path: string, meaning: (path: string) => string | undefined): Json {
    if (this.known === undefined)
      return { type: 'object', additionalProperties: this.at(ANY_NAME).json(`${path}.*`, meaning) };
    const properties = this.known.map((key) => [key, this.at(key).json(path === '' ? key : `${path}.${key}`, meaning)]);
    return {
      type: 'object',
      properties: { '<<': {}, ...(Object.fromEntries(properties) as Json) },
      patternProperties: { '^x-': {} },
      ...(this.required.size === 0 ? {} : { required: [...this.required] }),
      additionalProperties: false,
    };
  }
}

/** In which the key at `only`, and what leads to it, is there and nothing else is. */
interface Look {
  readonly only: string;
  readonly single: boolean;
  readonly found: Set<string>;
}

/** Stands for a section of a file; notes what is asked of it. */
class AskedSection implements YamlSection {
  readonly path: string;
  readonly isGroup = true;
  readonly #shape: GroupShape;
  readonly #look: Look;

  constructor(shape: GroupShape, path: string, look: Look) {
    this.path = path;
    this.#shape = shape;
    this.#look = look;
    for (const key of shape.known ?? []) look.found.add(this.#name(key));
  }

  has(key: string): boolean {
    const name = this.#name(key);
    return this.#look.only === name || this.#look.only.startsWith(`${name}.`) || this.#look.only.startsWith(`${name}[`);
  }

  isSingle(key: string): boolean {
    return this.#look.single && this.#look.only === this.#name(key);
  }

  keys(): string[] {
    return (this.#shape.known ?? [ANY_NAME]).filter((key) => this.#shape.known === undefined || this.has(key));
  }

  section(key: string, known: readonly string[] | undefined): YamlSection {
    return new AskedSection(this.#shape.at(key).group(known), this.#name(key), this.#look);
  }

  sections(key: string, known: readonly string[]): YamlSection[] {
    return [new AskedSection(this.#shape.at(key).items().group(known), `${this.#name(key)}[]`, this.#look)];
  }

  read<T>(key: string, parser: Parser<T>): Setting<T> | undefined {
    this.#shape.at(key).value(parser);
    return undefined;
  }

  require<T>(key: string, parser: Parser<T>): Setting<T> | undefined {
    this.#shape.required.add(key);
    return this.read(key, parser);
  }

  list<T>(key: string, parser: Parser<T>, least = 0): T[] | undefined {
    this.#shape.at(key).items(least).value(parser);
    return undefined;
  }

  report(): void {
    // Nothing is wrong with a file that is not there.
  }

  #name(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }
}

/**
 * The shape of a section as `read` asks for it. Each key is tried alone, as one value and as more: what excludes each
 * other in a file is asked for all the same. `meaning`: what people are told of a key, such as `pool.target`.
 */
export function schemaOf(
  keys: readonly string[],
  read: (section: YamlSection) => unknown,
  meaning: (path: string) => string | undefined,
): Json {
  const shape = new GroupShape(keys);
  const waiting = new Set(['']);
  for (const only of waiting)
    for (const single of [true, false]) read(new AskedSection(shape, '', { only, single, found: waiting }));
  return shape.json('', meaning);
}
