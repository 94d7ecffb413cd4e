import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import type { Branding } from '../presentation/branding.ts';
import type { Translator } from '../presentation/languages/translator.ts';
import { widerTags } from '../presentation/languages/wider-tags.ts';
import { DELEGATED } from './pages/visit.ts';

/** A page that embeds it may keep it this long; then it asks whether there is another. */
const MAX_AGE_S = 300;

export interface EmbedScript {
  readonly body: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
}

/** The web component, in one file with its texts and colours: it is at home on pages that know nothing of us. */
export async function loadEmbedScript(options: {
  /** Where the component finds us. */
  readonly publicOrigin: string;
  readonly translators: readonly Translator[];
  readonly branding: Branding;
}): Promise<EmbedScript> {
  const { publicOrigin, translators, branding } = options;
  const source = await readFile(new URL('./assets/embed.js', import.meta.url), 'utf8');
  const kit = {
    origin: publicOrigin,
    languages: Object.fromEntries(translators.map((t) => [t.tag.toLowerCase(), texts(t)])),
    regional: regional(translators.map(({ tag }) => tag.toLowerCase())),
    accent: branding.colors.light.accent,
    ink: branding.colors.light.on_accent,
    delegated: DELEGATED,
  };
  const body = Buffer.from(`(()=>{const KIT=${JSON.stringify(kit)};\n${squeezed(source)}})();\n`);
  return {
    body,
    gzipped: gzipSync(body, { level: 9 }),
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
  };
}

/** A text, or a sign with its blanks, which say nothing where every statement ends in `;`. */
const TEXT_OR_SIGN = /('[^'\n]*'|`[^`]*`)|\s*([=>?:&|,;(){}<!])\s*/gu;

/** Without what nobody but us reads: comments, and blanks and line breaks outside of texts. */
function squeezed(source: string): string {
  return source
    .replace(/^\/\*.*?\*\/\n/su, '')
    .replace(/^\s*\/\/.*\n/gmu, '')
    .replace(/(?<=replaceSync\(`)[^`]*/u, (css) => css.replace(/\s*([{};:,])\s*/gu, '$1').replaceAll(';}', '}'))
    .replace(/^\s+/gmu, '')
    .replace(TEXT_OR_SIGN, (_found, text: string | undefined, sign: string) => text ?? sign);
}

/** The tag for one that is wider than any there is, as `Languages` finds it: `pt-br` for `pt`. */
function regional(tags: readonly string[]): Readonly<Record<string, string>> {
  const unknown = widerTags(tags).filter(([wider]) => !tags.some((tag) => `${wider}-`.startsWith(`${tag}-`)));
  // The first of a tag counts.
  return Object.fromEntries(unknown.reverse());
}

function texts(t: Translator): Readonly<Record<string, string>> {
  return {
    start: t.text('home.try'),
    open: t.text('home.open'),
    starting: t.text('home.starting'),
    leave: t.text('waiting.leave'),
    noConnection: t.text('waiting.no_connection'),
    close: t.text('visit.close'),
    inTab: t.text('kit.in_tab'),
    openTab: t.text('kit.open_tab'),
    ended: t.text('ended.title'),
    again: t.text('visit.again'),
    retry: t.text('waiting.again'),
    noAnswer: t.text('visit.no_answer'),
  };
}

export function embedScriptRoute(app: FastifyInstance, { body, gzipped, etag }: EmbedScript): void {
  app.get('/embed.js', (request, reply) => {
    const zipped = request.headers['accept-encoding']?.includes('gzip') === true;
    const known = request.headers['if-none-match'];
    reply
      .type('text/javascript; charset=utf-8')
      .header('cache-control', `public, max-age=${MAX_AGE_S}, stale-while-revalidate=86400`)
      .header('etag', etag)
      .header('vary', 'Accept-Encoding')
      // There is nothing of a visitor's in it: any page may load it, as a module and when isolated, too.
      .header('access-control-allow-origin', '*')
      .header('cross-origin-resource-policy', 'cross-origin');
    if (known?.includes(etag) === true) return reply.code(304).send();
    return zipped ? reply.header('content-encoding', 'gzip').send(gzipped) : reply.send(body);
  });
}
