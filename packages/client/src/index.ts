export { TryItNow, type ClientOptions, type Template, type VisitOptions } from './client.ts';
export type { VisitEvents, WaitReason } from './events.ts';
export { ProblemError } from './problem-error.ts';
export type { Download, Visit } from './visit.ts';
export type { components, paths } from './api.ts';
