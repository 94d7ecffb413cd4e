import { closestMatch } from 'leven';
import { isAlias, isMap, isScalar, isSeq, type Document, type LineCounter, type Node, type YAMLMap } from 'yaml';
import { mismatch } from './environment.ts';
import { ParseError, type Parser } from './parsers.ts';
import type { Setting } from './rules.ts';

/** A parsed YAML file with what is needed to say where something stands, and the list of what is wrong with it. */
export interface YamlSource {
  readonly document: Document;
  readonly lines: LineCounter;
  /** As the operator wrote it in TEMPLATES_FILE. */
  readonly file: string;
  readonly problems: { readonly line: number; readonly text: string }[];
}

/** In the order of the file, each beginning with `file:line`. */
export function listProblems({ file, problems }: YamlSource): string[] {
  return [...problems].sort((a, b) => a.line - b.line).map(({ line: at, text }) => `${file}:${at}: ${text}`);
}

function line(source: YamlSource, node: Node | undefined): number {
  return source.lines.linePos(node?.range?.[0] ?? 0).line;
}

/** The node behind an alias; anything that is not a node is an empty value. */
function target(source: YamlSource, node: unknown): Node | undefined {
  if (isAlias(node)) return node.resolve(source.document);
  return isScalar(node) || isMap(node) || isSeq(node) ? node : undefined;
}

/**
 * The scalar's text as the file has it, so that `1.10` stays `1.10` and `007` stays `007`. Undefined for anything else.
 */
function scalarText(node: Node | undefined): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined;
  return typeof node.value === 'string' ? node.value : node.source;
}

function nature(node: Node | undefined): string {
  if (isMap(node)) return 'a group of settings';
  if (isSeq(node)) return 'a list';
  return 'empty';
}

/** One mapping of the file: reads settings by kind, and tells every problem with path, file and line. */
export class YamlSection {
  readonly #source: YamlSource;
  readonly #map: YAMLMap | undefined;
  /** As messages name it: `templates[0].pool`. */
  readonly path: string;
  readonly #at: Node | undefined;

  /** `node` undefined stands for a section that was left out: every setting in it is absent. */
  constructor(source: YamlSource, node: unknown, path: string, known: readonly string[] | undefined, at?: Node) {
    this.#source = source;
    this.path = path;
    const found = target(source, node);
    this.#at = found ?? at;
    if (isMap(found)) this.#map = found;
    else if (node !== undefined && node !== null)
      this.#report(
        `${path === '' ? 'the file' : path} is ` +
          `${isScalar(found) && found.value !== null ? 'a single value' : nature(found)}; it must be a group of ` +
          'settings',
        found,
      );
    if (known !== undefined) this.#refuseUnknown(known);
  }

  /** False when it was left out, or is something else, which was reported. */
  get isGroup(): boolean {
    return this.#map !== undefined;
  }

  has(key: string): boolean {
    return this.#map?.has(key) ?? false;
  }

  /** Whether the key has one value, neither a list nor a group of settings. */
  isSingle(key: string): boolean {
    return isScalar(target(this.#source, this.#map?.get(key, true)));
  }

  keys(): string[] {
    return (this.#map?.items ?? []).map((pair) => scalarText(target(this.#source, pair.key)) ?? '');
  }

  section(key: string, known: readonly string[] | undefined): YamlSection {
    return new YamlSection(
      this.#source,
      this.has(key) ? (this.#map?.get(key, true) ?? null) : undefined,
      this.#name(key),
      known,
      this.#keyNode(key),
    );
  }

  /** The sections of a list, undefined when the key is absent or is not a list (which is reported). */
  sections(key: string, known: readonly string[]): YamlSection[] | undefined {
    return this.#items(key)?.map(
      (item, index) =>
        new YamlSection(this.#source, item ?? null, `${this.#name(key)}[${index}]`, known, this.#keyNode(key)),
    );
  }

  /** Undefined when the key is absent, or wrong (which is reported). */
  read<T>(key: string, parser: Parser<T>): Setting<T> | undefined {
    if (!this.has(key)) return undefined;
    const node = target(this.#source, this.#map?.get(key, true));
    const value = this.#value(this.#name(key), node ?? this.#keyNode(key), scalarText(node), parser, nature(node));
    return value === undefined
      ? undefined
      : { value, source: `${this.#name(key)} (${this.#place(node)})`, written: scalarText(node) ?? '', sound: true };
  }

  /** Like `read`, and reports the key's absence. */
  require<T>(key: string, parser: Parser<T>): Setting<T> | undefined {
    if (this.#map !== undefined && !this.has(key))
      this.#report(`${this.#name(key)} is missing; it must be ${parser.expects}`, this.#at);
    return this.read(key, parser);
  }

  /** Undefined when the key is absent; wrong entries, and fewer than `least`, are reported, and wrong ones left out. */
  list<T>(key: string, parser: Parser<T>, least = 0): T[] | undefined {
    const items = this.#items(key);
    if (items !== undefined && items.length < least)
      this.#report(`${this.#name(key)} is an empty list; each entry must be ${parser.expects}`, this.#keyNode(key));
    return items?.flatMap((item, index) => {
      const node = target(this.#source, item);
      return (
        this.#value(
          `${this.#name(key)}[${index}]`,
          node ?? this.#keyNode(key),
          scalarText(node),
          parser,
          nature(node),
        ) ?? []
      );
    });
  }

  report(problem: string, key?: string): void {
    this.#report(problem, key === undefined ? this.#at : this.#keyNode(key));
  }

  #items(key: string): unknown[] | undefined {
    if (!this.has(key)) return undefined;
    const node = target(this.#source, this.#map?.get(key, true));
    if (isSeq(node)) return node.items;
    this.#report(`${this.#name(key)} must be a list, such as [a, b]`, node ?? this.#keyNode(key));
    return undefined;
  }

  #value<T>(
    name: string,
    node: Node | undefined,
    text: string | undefined,
    parser: Parser<T>,
    otherwise: string,
  ): T | undefined {
    if (text === undefined) {
      this.#report(`${name} is ${otherwise}; it must be ${parser.expects}`, node);
      return undefined;
    }
    const value = parser.parse(text);
    if (!(value instanceof ParseError)) return value;
    this.#report(mismatch(name, text, parser, value), node);
    return undefined;
  }

  #refuseUnknown(known: readonly string[]): void {
    for (const key of this.keys().filter((name) => !known.includes(name))) {
      const meant = closestMatch(key, known, { maxDistance: Math.max(2, Math.floor(key.length / 3)) });
      this.#report(
        `${this.#name(key)} is not known; ` +
          (meant === undefined ? `use one of ${known.join(', ')}` : `did you mean ${meant}?`),
        this.#keyNode(key),
      );
    }
  }

  #keyNode(key: string): Node | undefined {
    const pair = this.#map?.items.find((item) => scalarText(target(this.#source, item.key)) === key);
    return target(this.#source, pair?.key) ?? this.#at;
  }

  #name(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  #place(node: Node | undefined): string {
    return `${this.#source.file}:${line(this.#source, node)}`;
  }

  #report(problem: string, node: Node | undefined): void {
    this.#source.problems.push({ line: line(this.#source, node), text: problem });
  }
}
