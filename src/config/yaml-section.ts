import { closestMatch } from 'leven';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Document,
  type LineCounter,
  type Node,
  type Pair,
  type YAMLMap,
} from 'yaml';
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

/** As in Compose: what begins so is the author's own, such as what merge keys take from. */
const OWN_KEY = /^x-/;
const MERGE_KEY = '<<';

/** One group of settings: reads them by kind, and is told every problem. */
export interface YamlSection {
  /** As messages name it: `templates[0].pool`. */
  readonly path: string;
  /** False when it was left out, or is something else, which was reported. */
  readonly isGroup: boolean;
  isSingle(key: string): boolean;
  has(key: string): boolean;
  keys(): string[];
  section(key: string, known: readonly string[] | undefined): YamlSection;
  /** The sections of a list, undefined when the key is absent or is not a list (which is reported). */
  sections(key: string, known: readonly string[]): YamlSection[] | undefined;
  /** Undefined when the key is absent, or wrong (which is reported). */
  read<T>(key: string, parser: Parser<T>): Setting<T> | undefined;
  /** Like `read`, and reports the key's absence. */
  require<T>(key: string, parser: Parser<T>): Setting<T> | undefined;
  /** Undefined when the key is absent; wrong entries, and fewer than `least`, are reported, and wrong ones left out. */
  list<T>(key: string, parser: Parser<T>, least?: number): T[] | undefined;
  report(problem: string, key?: string): void;
}

/** One mapping of the file, with what its merge keys take in: tells every problem with path, file and line. */
export class YamlMapSection implements YamlSection {
  readonly #source: YamlSource;
  readonly #map: YAMLMap | undefined;
  readonly #pairs: ReadonlyMap<string, Pair>;
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
    this.#pairs = this.#map === undefined ? new Map() : this.#merged(this.#map, new Set());
    if (known !== undefined) this.#refuseUnknown(known);
  }

  get isGroup(): boolean {
    return this.#map !== undefined;
  }

  has(key: string): boolean {
    return this.#pairs.has(key);
  }

  /** Whether the key has one value, neither a list nor a group of settings. */
  isSingle(key: string): boolean {
    return isScalar(target(this.#source, this.#pairs.get(key)?.value));
  }

  keys(): string[] {
    return [...this.#pairs.keys()];
  }

  section(key: string, known: readonly string[] | undefined): YamlSection {
    return new YamlMapSection(
      this.#source,
      this.has(key) ? (this.#pairs.get(key)?.value ?? null) : undefined,
      this.#name(key),
      known,
      this.#keyNode(key),
    );
  }

  sections(key: string, known: readonly string[]): YamlSection[] | undefined {
    return this.#items(key)?.map(
      (item, index) =>
        new YamlMapSection(this.#source, item ?? null, `${this.#name(key)}[${index}]`, known, this.#keyNode(key)),
    );
  }

  read<T>(key: string, parser: Parser<T>): Setting<T> | undefined {
    if (!this.has(key)) return undefined;
    const node = target(this.#source, this.#pairs.get(key)?.value);
    const value = this.#value(this.#name(key), node ?? this.#keyNode(key), scalarText(node), parser, nature(node));
    return value === undefined
      ? undefined
      : { value, source: `${this.#name(key)} (${this.#place(node)})`, written: scalarText(node) ?? '', sound: true };
  }

  require<T>(key: string, parser: Parser<T>): Setting<T> | undefined {
    if (this.#map !== undefined && !this.has(key))
      this.#report(`${this.#name(key)} is missing; it must be ${parser.expects}`, this.#at);
    return this.read(key, parser);
  }

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
    const node = target(this.#source, this.#pairs.get(key)?.value);
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
    for (const key of this.keys().filter((name) => !known.includes(name) && !OWN_KEY.test(name))) {
      const meant = closestMatch(key, known, { maxDistance: Math.max(2, Math.floor(key.length / 3)) });
      this.#report(
        `${this.#name(key)} is not known; ` +
          (meant === undefined ? `use one of ${known.join(', ')}` : `did you mean ${meant}?`),
        this.#keyNode(key),
      );
    }
  }

  #keyNode(key: string): Node | undefined {
    return target(this.#source, this.#pairs.get(key)?.key) ?? this.#at;
  }

  /** Own keys win over merged ones, and of a list of groups the earlier over the later, as YAML has it. */
  #merged(map: YAMLMap, within: ReadonlySet<YAMLMap>): Map<string, Pair> {
    const found = new Map<string, Pair>();
    const merges: Pair[] = [];
    for (const pair of map.items) {
      const key = scalarText(target(this.#source, pair.key)) ?? '';
      if (key === MERGE_KEY) merges.push(pair);
      else found.set(key, pair);
    }
    // A group that takes in itself, by way of an alias inside of it, has nothing more to give.
    const around = new Set([...within, map]);
    for (const group of merges.flatMap((merge) => this.#groupsOf(merge)).filter((each) => !around.has(each)))
      for (const [key, pair] of this.#merged(group, around)) if (!found.has(key)) found.set(key, pair);
    return found;
  }

  #groupsOf(merge: Pair): YAMLMap[] {
    const value = target(this.#source, merge.value);
    const groups = (isSeq(value) ? value.items : [value]).map((item) => target(this.#source, item));
    if (groups.every((group) => isMap(group))) return groups;
    this.#report(
      `${this.#name(MERGE_KEY)} must be a group of settings or a list of such groups, as in <<: *shared`,
      target(this.#source, merge.key),
    );
    return [];
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
