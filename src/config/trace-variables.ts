import { decimal, ipOrBlock, listOf, url, ParseError, type Parser } from './parsers.ts';
import { group } from './variable.ts';

const traces = group('Traces');

const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const VALUE = /^[\x20-\x7e]*$/;

/** As OpenTelemetry has it: `name=value`, the value percent-encoded. */
const header: Parser<readonly [name: string, value: string]> = {
  type: 'header',
  expects: 'NAME=VALUE, such as Authorization=Bearer%20secret',
  parse: (text) => {
    const at = text.indexOf('=');
    const [name, encoded] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
    if (at < 1 || !NAME.test(name)) return new ParseError('an entry is not NAME=VALUE');
    try {
      const value = decodeURIComponent(encoded);
      return VALUE.test(value) ? [name, value] : new ParseError('a value has a character that no header can carry');
    } catch {
      return new ParseError('a value is not percent-encoded as it should be');
    }
  },
};

/** Where traces go; those that OpenTelemetry has a name for have that name. */
export const TRACE_VARIABLES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: traces.optional(
    url(['http', 'https'], 'http://127.0.0.1:4318'),
    'none: nothing is traced',
    'The OpenTelemetry collector, or whatever else takes OTLP over HTTP, that servers and workers send traces to; ' +
      '`/v1/traces` is added. See [traces](../traces.md).',
  ),
  OTEL_EXPORTER_OTLP_HEADERS: traces.secret(
    listOf(header, 1),
    'none',
    'What is sent with them, such as a key: NAME=VALUE, with commas between, values percent-encoded.',
  ),
  TRACES_SAMPLE: traces.required(
    decimal(0, 1, 0.01),
    '0.01',
    'The share of clicks and refills that is traced, where there is a collector. What a traced click led to is ' +
      'traced as well.',
  ),
  TRACES_PARENTS: traces.required(
    listOf(ipOrBlock),
    '',
    'The addresses or CIDR blocks, with commas between, of callers whose `traceparent` is believed: whether to trace ' +
      'their request, and as a part of what. Only what sets that header itself, and drops what visitors send in it; ' +
      'see [traces](../traces.md#whose-traces-are-gone-on-with).',
  ),
};
