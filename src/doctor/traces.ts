import { request } from 'undici';
import { describeError } from '../domain/errors.ts';
import { deadlineSignal } from '../lifecycle/deadline.ts';
import { tracesAt, type TracingSettings } from '../telemetry/tracing/tracing.ts';
import { failure, ok, type Check, type Observation } from './check.ts';

const WHAT = 'collector';
const LIMIT_MS = 5_000;

/** Whether the collector takes what it is sent: nothing, as OTLP has it. No check where nothing is traced. */
export function traceChecks({ collector, sample }: TracingSettings): Check[] {
  if (collector === undefined) return [];
  return [{ part: 'Traces', what: WHAT, run: async () => [await look(collector, sample)] }];
}

async function look({ url, headers }: NonNullable<TracingSettings['collector']>, sample: number): Promise<Observation> {
  const remedy =
    'Start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT (OTLP over HTTP, most often port 4318) and ' +
    'OTEL_EXPORTER_OTLP_HEADERS. Until then traces are lost, and all else goes on.';
  try {
    const { statusCode, body } = await request(tracesAt(url), {
      method: 'POST',
      // A request without spans is an empty message.
      body: '',
      headers: { ...headers, 'content-type': 'application/x-protobuf' },
      signal: deadlineSignal(LIMIT_MS),
    });
    await body.dump();
    return statusCode < 300
      ? ok(WHAT, `${url} takes traces; ${sample * 100} % of clicks and refills are traced`)
      : failure(WHAT, `${url} answers ${statusCode}`, remedy);
  } catch (error) {
    return failure(WHAT, `${url} does not answer: ${describeError(error)}`, remedy);
  }
}
