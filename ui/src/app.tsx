import { RouterProvider, type RouterHistory } from '@tanstack/react-router';
import { useState } from 'react';
import type { Backend } from './backend/backend';
import { Lockable } from './features/session/lock';
import { Say } from './kit/say';
import { makeRouter } from './routes/router';

/** The whole window over one backend. */
export function App(props: { backend: Backend; history?: RouterHistory }) {
  const [router] = useState(() => makeRouter(props.history));
  return (
    <Say>
      <Lockable backend={props.backend}>
        <RouterProvider router={router} />
      </Lockable>
    </Say>
  );
}
