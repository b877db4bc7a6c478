// Compiles each contract beside it to JSON. Needed only after a change of a contract:
//   npm install --no-save solc@0.8.30 && node compile.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(`${process.cwd()}/`)("solc");
const here = new URL("./", import.meta.url);
const settings = {
  // The oldest instruction set that has what is used, so that the code runs on any chain.
  evmVersion: "paris",
  optimizer: { enabled: true, runs: 200 },
  // The hash of source and paths at the end of the code would differ from machine to machine.
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"] } },
};
for (const name of ["TestToken", "AwkwardToken"]) {
  const file = `${name}.sol`;
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: "Solidity",
        sources: { [file]: { content: readFileSync(new URL(file, here), "utf8") } },
        settings,
      }),
    ),
  );
  for (const error of output.errors ?? []) console.error(error.formattedMessage);
  const { evm, storageLayout } = output.contracts[file][name];
  const artifact = {
    contractName: name,
    compiler: solc.version(),
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
    storage: storageLayout.storage.map(({ label, slot }) => ({ label, slot: Number(slot) })),
  };
  writeFileSync(new URL(`${name}.json`, here), `${JSON.stringify(artifact, null, 2)}\n`);
}
