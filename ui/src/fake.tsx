import { type FakeOptions, makeFake } from './backend/fake/fake';
import { start } from './start';

// Only mode `fake` starts here: made-up people, no core behind it. `?as=adaeze&file=bad` chooses
// who is signed in and what happens.
const asked = new URLSearchParams(location.search);
const options: FakeOptions = {
  pace: Number(asked.get('pace') ?? '1'),
  empty: asked.has('empty'),
  ready: asked.has('ready'),
  poor: asked.has('poor'),
  times: Number(asked.get('times') ?? '1'),
  stopped: (asked.get('stopped') ?? '').split(',').filter(Boolean).map(Number),
};
for (const name of [
  'as',
  'file',
  'signing',
  'device',
  'model',
  'password',
  'offline',
  'filling',
] as const) {
  const value = asked.get(name);
  if (value !== null) Object.assign(options, { [name]: value });
}
start(makeFake(options));
