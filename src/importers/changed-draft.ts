import type { TemplateChange } from '../domain/template-change.ts';
import type { TemplateDraft } from './template-yaml.ts';

/** No machine that runs several visitors has more for one. */
const MOST_MIB = 8_192;
const MOST_PIDS = 4_096;
const DEFAULT_MIB = 256;
const DEFAULT_PIDS = 128;

/** The draft with the change; undefined when it says so already, or where one key alone does not make it. */
export function changedDraft(draft: TemplateDraft, change: TemplateChange): TemplateDraft | undefined {
  const limits = (draft['limits'] ?? {}) as { readonly memory?: string; readonly pids?: number };
  switch (change.kind) {
    case 'capabilities': {
      const had = (draft['capabilities'] ?? []) as readonly string[];
      const all = [...new Set([...had, ...change.add])].sort();
      return all.length === had.length ? undefined : { ...draft, capabilities: all };
    }
    case 'port':
      return draft['port'] === change.port ? undefined : { ...draft, port: change.port };
    case 'listen':
      return undefined;
    case 'more_memory': {
      const mib = 2 * (limits.memory === undefined ? DEFAULT_MIB : mebibytes(limits.memory));
      return mib > MOST_MIB ? undefined : { ...draft, limits: { ...limits, memory: `${mib}MiB` } };
    }
    case 'more_pids': {
      const pids = 2 * (limits.pids ?? DEFAULT_PIDS);
      return pids > MOST_PIDS ? undefined : { ...draft, limits: { ...limits, pids } };
    }
    case 'ready_status': {
      const readiness = (draft['readiness'] ?? {}) as { readonly http?: TemplateDraft };
      if ('status' in (readiness.http ?? {})) return undefined;
      return { ...draft, readiness: { ...readiness, http: { ...readiness.http, status: ['200-399', change.status] } } };
    }
  }
}

function mebibytes(size: string): number {
  return Number.parseInt(size, 10) * (size.endsWith('GiB') ? 1024 : 1);
}

/** For people: `capabilities: SETGID, SETUID`. */
export function describeChange(change: TemplateChange, draft: TemplateDraft): string {
  const limits = (draft['limits'] ?? {}) as { readonly memory?: string; readonly pids?: number };
  switch (change.kind) {
    case 'capabilities':
      return `capabilities: [${((draft['capabilities'] ?? []) as string[]).join(', ')}]`;
    case 'port':
      return `port: ${change.port}`;
    case 'listen':
      return 'listening on every address';
    case 'more_memory':
      return `limits.memory: ${limits.memory ?? ''}`;
    case 'more_pids':
      return `limits.pids: ${limits.pids ?? ''}`;
    case 'ready_status':
      return `readiness.http.status: [200-399, ${change.status}]`;
  }
}
