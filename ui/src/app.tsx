import { RouterProvider, type RouterHistory } from '@tanstack/react-router';
import { useState } from 'react';
import type { Backend } from './backend/backend';
import { BackendProvider, makeQueryClient } from './backend/use';
import { Say } from './kit/say';
import { makeRouter } from './routes/router';

/** The whole window over one backend. */
export function App(props: { backend: Backend; history?: RouterHistory }) {
  const [client] = useState(makeQueryClient);
  const [router] = useState(() => makeRouter(props.history));
  return (
    <Say>
      <BackendProvider backend={props.backend} client={client}>
        <RouterProvider router={router} />
      </BackendProvider>
    </Say>
  );
}
