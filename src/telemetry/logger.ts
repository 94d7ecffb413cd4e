import { pino, type DestinationStream, type Logger } from 'pino';
import { LogWriter } from './log-writer.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines with ISO times and level names, by default to stdout. Credentials in headers never reach a line. */
export function createLogger(level: LogLevel, destination: DestinationStream = new LogWriter()): Logger {
  const options = {
    level,
    base: { service: 'try-it-now' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: ['req.headers["x-api-key"]', 'req.headers.authorization', 'req.headers.cookie'],
      censor: '[hidden]',
    },
  };
  return pino(options, destination);
}
