import { TryItNowError } from './errors.ts';
import type { Template } from './template.ts';

/** For whoever asks for one whose time is over. */
export function templateEnded({ name, endsAtMs }: Pick<Template, 'name' | 'endsAtMs'>): TryItNowError {
  const since = endsAtMs === undefined || endsAtMs === 0 ? '' : ` since ${new Date(endsAtMs).toISOString()}`;
  return new TryItNowError('template_ended', `"${name}" is not offered any more${since}`);
}
