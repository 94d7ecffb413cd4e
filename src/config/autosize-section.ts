import { Cron } from 'croner';
import type { Autosize, ScheduleEntry } from '../domain/pool-size.ts';
import { ParseError, duration, type Parser } from './parsers.ts';
import type { Setting } from './rules.ts';
import { poolTarget } from './variables.ts';
import type { YamlSection } from './yaml-section.ts';

const KEYS = ['min', 'max', 'cover', 'schedule'] as const;
const SCHEDULE_KEYS = ['cron', 'zone', 'for', 'target'] as const;
const FOR = duration('1m', '7d', '10h');
const DEFAULT_COVER = 0.95;

export const COVER: Parser<number> = {
  type: 'share',
  expects: 'a share of clicks from 50% to 99.9%, such as 95%',
  json: { type: 'string', pattern: String.raw`^\d{2}(\.\d)?%$` },
  parse: (text) => {
    const percent = /^(\d{2}(?:\.\d)?)%$/.exec(text)?.[1];
    if (percent === undefined) return new ParseError(/^[\d.]+$/.test(text) ? 'the sign % is missing' : undefined);
    return Number(percent) >= 50 ? Number(percent) / 100 : new ParseError();
  },
};

export const CRON: Parser<string> = {
  type: 'cron',
  expects: 'the five fields of cron (minute, hour, day, month, weekday), such as 0 8 * * 1-5',
  parse: (text) => {
    if (text.trim().split(/\s+/).length !== 5) return new ParseError();
    try {
      return new Cron(text, { paused: true }).nextRun() === null
        ? new ParseError('that time never comes')
        : text.trim();
    } catch (error) {
      return new ParseError(error instanceof Error ? error.message.replace(/^CronPattern: /, '') : undefined);
    }
  },
};

const ZONE: Parser<string> = {
  type: 'time zone',
  expects: 'a time zone by its IANA name, such as Europe/Berlin',
  parse: (text) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
    } catch {
      return new ParseError();
    }
  },
};

/** How a pool sizes itself; undefined: its target is fixed. */
export function readAutosize(
  pool: YamlSection,
  poolMax: Setting<number>,
): { readonly autosize: Autosize; readonly min: Setting<number> } | undefined {
  if (!pool.has('autosize')) return undefined;
  for (const key of ['target', 'replenish_threshold'])
    if (pool.has(key))
      pool.report(`${pool.path}.${key} has no effect beside autosize, which decides it; take out one of them`, key);
  const section = pool.section('autosize', KEYS);
  const [min, max] = [section.require('min', poolTarget), section.require('max', poolTarget)];
  const cover = section.read('cover', COVER)?.value ?? DEFAULT_COVER;
  const schedule = readSchedule(section, max);
  if (min === undefined || max === undefined) return undefined;
  if (min.value > max.value)
    section.report(`${min.source} is ${min.written} but ${max.source} is ${max.written}; lower the first`, 'min');
  if (poolMax.sound && max.value > poolMax.value)
    section.report(
      `${max.source} is ${max.written} but ${poolMax.source} is ${poolMax.written}: more would stand ready than may ` +
        'exist; lower the first or raise the second',
      'max',
    );
  return { autosize: { min: min.value, max: max.value, cover, schedule }, min };
}

function readSchedule(section: YamlSection, max: Setting<number> | undefined): readonly ScheduleEntry[] {
  return (section.sections('schedule', SCHEDULE_KEYS) ?? []).flatMap((entry) => {
    const cron = entry.require('cron', CRON)?.value;
    const zone = entry.read('zone', ZONE)?.value ?? 'UTC';
    const forMs = entry.require('for', FOR)?.value;
    const target = entry.require('target', poolTarget);
    if (target !== undefined && max !== undefined && target.value > max.value)
      entry.report(
        `${target.source} is ${target.written} but ${max.source} is ${max.written}; lower the first`,
        'target',
      );
    return cron === undefined || forMs === undefined || target === undefined
      ? []
      : [{ cron, zone, forMs, target: target.value }];
  });
}
