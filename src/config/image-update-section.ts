/** What a template says of new images under its image's name. */
import type { ImageCheck, SmokeStep } from '../domain/image-check.ts';
import { CRON } from './autosize-section.ts';
import { requestPath } from './checkpoint-sections.ts';
import { ParseError, duration, prose, type Parser } from './parsers.ts';
import { readStatuses } from './readiness-section.ts';
import type { YamlSection } from './yaml-section.ts';

const EVERY = duration('1m', '30d', '6h');
const TEXT = prose(200);
const MOST_STEPS = 20;

/** `off` is undefined, as if it were not there. */
export const IMAGE_CHECK: Parser<ImageCheck | undefined> = {
  type: 'image check',
  expects: 'off, manual, a time from 1m to 30d such as 6h, or the five fields of cron in UTC such as 0 4 * * *',
  parse: (text) => {
    if (text === 'off') return undefined;
    if (text === 'manual') return { kind: 'manual' };
    if (text.trim().includes(' ')) {
      const cron = CRON.parse(text);
      return cron instanceof ParseError ? cron : { kind: 'cron', cron };
    }
    const everyMs = EVERY.parse(text);
    return everyMs instanceof ParseError ? everyMs : { kind: 'every', everyMs, written: text };
  },
};

export function readSmoke(section: YamlSection): readonly SmokeStep[] {
  const steps = section.sections('smoke', ['path', 'status', 'text']) ?? [];
  if (steps.length > MOST_STEPS)
    section.report(`${section.path}.smoke has ${steps.length} steps; ${MOST_STEPS} are the most`, 'smoke');
  return steps.flatMap((step) => {
    const path = step.require('path', requestPath)?.value;
    const statuses = readStatuses(step);
    const text = step.read('text', TEXT)?.value;
    return path === undefined ? [] : [{ path, statuses, text }];
  });
}
