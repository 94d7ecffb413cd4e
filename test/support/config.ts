import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { readTextFile, type Environment } from '../../src/config/environment.ts';
import { loadConfig } from '../../src/config/load.ts';
import { TryItNowError } from '../../src/domain/errors.ts';

const EPHEMERAL = '/proc/sys/net/ipv4/ip_local_port_range';

const MEMORY = '/proc/meminfo';

/** Real files, but the kernel's port range and the memory are usual ones whatever this machine's are. */
export function read(path: string): string {
  if (path === MEMORY) return 'MemTotal:       16777216 kB\nMemFree:         1024 kB\n';
  return path === EPHEMERAL ? '32768\t60999\n' : readTextFile(path);
}

export function config(env: Environment = {}): Config {
  return loadConfig(env, read).config;
}

export function problems(env: Environment): string[] {
  try {
    loadConfig(env, read);
  } catch (error) {
    if (!(error instanceof TryItNowError) || error.code !== 'invalid_config') throw error;
    const listed = error.message
      .split('\n')
      .slice(1)
      .map((line) => line.replace(/^ {2}- /, ''));
    expect(listed).toEqual(expect.arrayContaining(error.details?.['problems'] as string[]));
    return error.details?.['problems'] as string[];
  }
  return [];
}

/** The one problem there is. */
export function problem(env: Environment): string {
  const all = problems(env);
  expect(all).toHaveLength(1);
  return all[0] ?? '';
}

export function file(text: string, name = 'value'): string {
  const folder = mkdtempSync(join(tmpdir(), 'try-it-now-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}
