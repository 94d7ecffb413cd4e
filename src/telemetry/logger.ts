import { pino, type DestinationStream, type Logger } from 'pino';
import { LogWriter } from './log-writer.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * JSON lines with ISO times and level names, by default to stdout. Credentials in headers never reach a line. `context`
 * says what else belongs to each, as the trace that it is written in.
 */
export function createLogger(
  level: LogLevel,
  destination: DestinationStream = new LogWriter(),
  context?: () => object | undefined,
): Logger {
  const options = {
    level,
    base: { service: 'try-it-now' },
    timestamp: pino.stdTimeFunctions.isoTime,
    ...(context === undefined ? {} : { mixin: () => context() ?? {} }),
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: ['req.headers["x-api-key"]', 'req.headers.authorization', 'req.headers.cookie'],
      censor: '[hidden]',
    },
  };
  return pino(options, destination);
}
