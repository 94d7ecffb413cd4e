import { expect, it } from 'vitest';
import { Trigger } from './trigger.ts';

it('reaches everyone who has subscribed by then, and keeps nothing for those who come later', () => {
  const heard: string[] = [];
  const trigger = new Trigger();
  trigger.fire();
  trigger.subscribe(() => heard.push('first'));
  trigger.fire();
  trigger.subscribe(() => heard.push('second'));
  trigger.fire();
  expect(heard).toEqual(['first', 'first', 'second']);
});
