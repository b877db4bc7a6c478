// Builds and hashes the batches on standard input with protocol-kit and viem; answers times and hashes as JSON.
// viem verifies the checksum of every address that it encodes. Nothing is asked of a chain.

import { readFileSync } from "node:fs";
import {
  calculateSafeTransactionHash,
  createERC20TokenTransferTransaction,
  encodeMultiSendData,
} from "@safe-global/protocol-kit";
import { encodeFunctionData, parseAbi } from "viem";

const work = JSON.parse(readFileSync(0, "utf8"));
const abi = parseAbi(["function multiSend(bytes transactions)"]);
const zero = "0x0000000000000000000000000000000000000000";

function hash(lines) {
  const transfers = lines.map(({ token, recipient, amount }) => ({
    ...createERC20TokenTransferTransaction(token, recipient, amount),
    operation: 0,
  }));
  const data = encodeFunctionData({ abi, functionName: "multiSend", args: [encodeMultiSendData(transfers)] });
  const transaction = {
    to: work.multiSend,
    value: "0",
    data,
    operation: 1,
    safeTxGas: "0",
    baseGas: "0",
    gasPrice: "0",
    gasToken: zero,
    refundReceiver: zero,
    nonce: work.nonce,
  };
  return calculateSafeTransactionHash(work.safe, transaction, work.safeVersion, BigInt(work.chainId));
}

const micros = [];
const hashes = [];
for (const lines of work.rounds) {
  const started = process.hrtime.bigint();
  hashes.push(hash(lines));
  micros.push(Number((process.hrtime.bigint() - started) / 1000n));
}
process.stdout.write(JSON.stringify({ micros, hashes }));
