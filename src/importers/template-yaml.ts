import wrapAnsi from 'wrap-ansi';
import { Document, Scalar, isMap, visit, type Pair, type YAMLMap } from 'yaml';

/** One template as its file has it: the keys of docs/templates.md, in the order they are to stand in. */
export type TemplateDraft = Readonly<Record<string, unknown>>;

/** What a person should know of a key, or, without one, of the whole template. */
export interface Note {
  /** Where it stands, such as `limits.memory`; of a key that is not there the nearest one above. */
  readonly key?: string;
  readonly text: string;
}

const LINE_WIDTH = 100;

/** A file of one template that `TEMPLATES_FILE` can name, each note as a comment above what it is about. */
export function templateFile(draft: TemplateDraft, notes: readonly Note[]): string {
  const document = new Document({ templates: [draft] });
  const template = document.getIn(['templates', 0]) as YAMLMap;
  shortListsOnOneLine(document);
  const above = new Map<Scalar | undefined, string[]>();
  for (const { key, text } of notes) {
    const scalar = keyScalar(template, key?.split('.') ?? []);
    above.set(scalar, [...(above.get(scalar) ?? []), ...wrapAnsi(text, LINE_WIDTH).split('\n')]);
  }
  for (const [scalar, lines] of above) {
    const comment = lines.map((line) => ` ${line}`).join('\n');
    if (scalar === undefined) document.commentBefore = comment;
    else scalar.commentBefore = comment;
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function shortListsOnOneLine(document: Document): void {
  visit(document, {
    Seq(_, list) {
      if (list.items.every((item) => item instanceof Scalar)) list.flow = true;
    },
  });
}

function keyScalar(map: YAMLMap, [first, ...rest]: readonly string[]): Scalar | undefined {
  const pair = map.items.find(({ key }) => key instanceof Scalar && key.value === first) as Pair<Scalar> | undefined;
  if (pair === undefined) return undefined;
  return (rest.length > 0 && isMap(pair.value) ? keyScalar(pair.value, rest) : undefined) ?? pair.key;
}
