import type { RememberedHarm } from '../../domain/harm.ts';
import type { NetworkRule } from '../../domain/network-rule.ts';
import type { Suspect } from '../../domain/suspect.ts';
import { html, type Html } from '../../presentation/html.ts';
import { ago, ahead, badge, said, section, shown, table } from '../elements.ts';
import { actForm, actions, input } from '../forms.ts';
import type { View } from '../layout.ts';
import type { Part } from '../snapshot.ts';

interface Networks {
  readonly suspects: Part<readonly Suspect[]>;
  readonly harm: Part<readonly RememberedHarm[]>;
  readonly bans: Part<readonly NetworkRule[]>;
  readonly allowances: Part<readonly NetworkRule[]>;
}

const WHY = {
  share: 'takes a large share',
  unopened: 'opens few of what it takes',
  refused: 'asks on against a limit',
  harm: 'harms others',
} as const;

export function networksPage(view: View, { suspects, harm, bans, allowances }: Networks): Html {
  return html`${section(
    'Who takes an unusual share',
    shown(suspects, (all) => suspectTable(view, all)),
  )}
${section(
  'Who harmed others',
  shown(harm, (all) => harmTable(view, all)),
)}
${section('Bans', html`${shown(bans, (all) => banTable(view, all))}${actions(view, [banForm(view)])}`)}
${section(
  'Allowances',
  html`${shown(allowances, (all) => allowanceTable(view, all))}${actions(view, [allowForm(view)])}`,
)}`;
}

function suspectTable(view: View, suspects: readonly Suspect[]): Html {
  return table(
    'Who takes an unusual share of the instances',
    ['Who', 'Why', 'Taken', 'Unopened', 'Refused', 'Last', ''],
    suspects.map(({ kind, who, why, taken, takenByAll, ended, unopened, refused, lastMs, network }) => [
      html`${badge(kind, 'quiet')} <code>${said(who)}</code>`,
      WHY[why],
      `${taken} of ${takenByAll}`,
      `${unopened} of ${ended}`,
      refused,
      ago(lastMs),
      network === undefined
        ? ''
        : actForm(view, 'bans.add', {
            hidden: { network, for: '7d' },
            button: 'Ban for a week',
            label: `Ban ${network} for a week`,
          }),
    ]),
    'Nobody took an unusual share of the instances within a day.',
  );
}

function harmTable(view: View, harm: readonly RememberedHarm[]): Html {
  return table(
    'Whose visits were ended because they harmed others',
    ['Who', 'Visits ended', 'Gets nothing until', 'Forgotten', ''],
    harm.map(({ who, ends, pausedUntilMs, forgottenAtMs }) => [
      html`<code>${said(who)}</code>`,
      ends,
      pausedUntilMs === undefined ? '' : ahead(pausedUntilMs),
      ahead(forgottenAtMs),
      actForm(view, 'harm.forgive', { on: who, label: `Forgive ${said(who)}` }),
    ]),
    'Nobody had visits ended lately because they harmed others.',
  );
}

function banTable(view: View, bans: readonly NetworkRule[]): Html {
  return table(
    'Bans',
    ['Network', 'Since', 'Ends', 'Reason', ''],
    bans.map(({ network, sinceMs, untilMs, reason }) => [
      html`<code>${said(network)}</code>`,
      ago(sinceMs),
      ahead(untilMs),
      said(reason ?? ''),
      actForm(view, 'bans.remove', { on: network, label: `End ban of ${network}` }),
    ]),
    'Nobody is banned.',
  );
}

function allowanceTable(view: View, allowances: readonly NetworkRule[]): Html {
  return table(
    'Allowances',
    ['Network', 'Held at once', 'Since', 'Ends', 'Reason', ''],
    allowances.map(({ network, held, sinceMs, untilMs, reason }) => [
      html`<code>${said(network)}</code>`,
      held ?? 1,
      ago(sinceMs),
      ahead(untilMs),
      said(reason ?? ''),
      actForm(view, 'allowances.remove', { on: network, label: `End allowance of ${network}` }),
    ]),
    'No network may have more than others.',
  );
}

function banForm(view: View): Html {
  return actForm(view, 'bans.add', {
    inputs: html`${input('network', 'Address or network', { hint: '203.0.113.0/24', required: true })}
${input('for', 'For', { hint: '7d' })}${input('reason', 'Reason, which they see')}
<label class="check"><input type="checkbox" name="end" value="true"> End what they hold</label>`,
  });
}

function allowForm(view: View): Html {
  return actForm(view, 'allowances.add', {
    inputs: html`${input('network', 'Address or network', { hint: '198.51.100.7', required: true })}
${input('held', 'Held at once', { hint: '30', required: true, type: 'number' })}
${input('for', 'For', { hint: '7d' })}${input('reason', 'Reason')}`,
  });
}
