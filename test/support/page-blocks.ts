/** A shell block of a page, as a reader finds it. */
export interface Block {
  /** The heading it stands under. */
  readonly heading: string;
  /** Of its fence, from 1. */
  readonly line: number;
  readonly script: string;
  /** What the output has to contain, in this order: the lines `# Expected: …`. */
  readonly expected: readonly string[];
  /** 0, unless a comment before it says otherwise: `<!-- exits 3: why -->`. */
  readonly exits: readonly number[];
}

/** Every fenced bash block, also those in lists, in order. Throws for a fence that is left open. */
export function bashBlocks(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  let [heading, exits]: [string, readonly number[]] = ['', [0]];
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const text = lines[at] ?? '';
    const [, indent, language] = /^( *)```(\w*)$/.exec(text) ?? [];
    if (indent !== undefined) {
      const end = lines.findIndex((line, other) => other > at && line === `${indent}\`\`\``);
      if (end === -1) throw new Error(`the fence in line ${at + 1} is left open`);
      const script = lines
        .slice(at + 1, end)
        .map((line) => line.slice(indent.length))
        .join('\n');
      if (language === 'bash')
        blocks.push({
          heading,
          line: at + 1,
          script,
          expected: [...script.matchAll(/^# Expected: (.+)$/gm)].map(([, wanted = '']) => wanted),
          exits,
        });
      [at, exits] = [end, [0]];
      continue;
    }
    heading = /^#+ (.+)$/.exec(text)?.[1] ?? heading;
    const codes = /^ *<!-- exits ([\d or]+): .+ -->$/.exec(text)?.[1];
    if (codes !== undefined) exits = codes.split(' or ').map(Number);
  }
  return blocks;
}

/** As GitHub makes an anchor of a heading. */
export function anchors(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}
