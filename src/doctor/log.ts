import { notChecked, failure, ok, warning, type Observation } from './check.ts';
import { valueOf } from './host.ts';

const WHAT = 'log';

/** Whether a process says what it has to say, by its own metrics; undefined where they do not answer. */
export function logObservation(metrics: string | undefined, unit: string): Observation {
  const [dropped, writable] = [
    valueOf(metrics, 'try_it_now_log_lines_dropped_total'),
    valueOf(metrics, 'try_it_now_log_writable'),
  ];
  if (dropped === undefined || writable === undefined) return notChecked(WHAT, 'its metrics do not answer');
  if (writable === 0)
    return failure(
      WHAT,
      `cannot be written: ${dropped} lines are lost since the start. The process goes on without it`,
      'Make room where its output goes, or start what reads it (the journal: `journalctl --vacuum-size=500M`, ' +
        '`systemctl restart systemd-journald`); the next line says what the trouble was.',
    );
  if (dropped > 0)
    return warning(
      WHAT,
      `${dropped} lines are lost since the start; it is written again`,
      `See when and why (\`journalctl -u ${unit} | grep "lines were lost"\`), and give it more room. A restart of ` +
        'the unit counts from zero again.',
    );
  return ok(WHAT, 'every line was written');
}
