import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Where the contract is served over HTTP while one works in a browser. */
const RPC = process.env.COUNTERSIGN_RPC ?? 'http://127.0.0.1:1421';

/** Starts the made-up backend instead of a real one; only in mode `fake`. */
function fakeEntry(): Plugin {
  return {
    name: 'fake-entry',
    transformIndexHtml: {
      order: 'pre',
      handler: (html) => html.replace('/src/main.tsx', '/src/fake.tsx'),
    },
  };
}

/** Serves the made-up backend over HTTP, so that the browser specs can be written without a core. */
function fakeServer(): Plugin {
  return {
    name: 'fake-server',
    configureServer(server) {
      let fake: Promise<Record<string, unknown>> | null = null;
      server.middlewares.use('/rpc', async (request, response) => {
        fake ??= server.ssrLoadModule('/src/backend/fake/fake.ts').then((made) => made.makeFake());
        const backend = (await fake) as { call(name: string, request: unknown): Promise<unknown> };
        let body = '';
        for await (const part of request) body += part;
        response.setHeader('content-type', 'application/json');
        try {
          const answer = await backend.call((request.url ?? '/').slice(1), JSON.parse(body));
          response.end(JSON.stringify(answer));
        } catch (error) {
          response.statusCode = 400;
          response.end(JSON.stringify(error));
        }
      });
    },
  };
}

export default defineConfig(({ mode }) => ({
  plugins: [
    react(),
    tailwindcss(),
    ...(mode === 'fake' ? [fakeEntry()] : []),
    ...(mode === 'fake-server' ? [fakeServer()] : []),
  ],
  clearScreen: false,
  server: {
    port: 1420,
    strictPort: true,
    host: '127.0.0.1',
    proxy: { '/rpc': { target: RPC } },
  },
  preview: {
    port: 1422,
    strictPort: true,
    host: '127.0.0.1',
    headers: {
      // The window's own policy, so that a preview shows what it would refuse.
      'Content-Security-Policy':
        "default-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'",
    },
  },
  build: {
    outDir: mode === 'fake' ? 'dist-fake' : 'dist',
    target: 'es2022',
    // A font below the limit would become a data: address, which the policy refuses.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
  },
  test: {
    environment: 'jsdom',
    setupFiles: ['src/test/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    css: false,
    testTimeout: 20_000,
  },
}));
