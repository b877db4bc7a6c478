"""Builds and hashes the batches on standard input with safe-eth-py; answers times and hashes as JSON.

Its MultiSendTx takes addresses with wrong checksums, so they are verified with its own fast function beforehand.
Nothing is asked of a chain: chain id, version and nonce are passed.
"""

import json
import sys
import time

from eth_abi import encode
from safe_eth.eth.utils import fast_is_checksum_address
from safe_eth.safe import SafeTx
from safe_eth.safe.multi_send import MultiSend, MultiSendOperation, MultiSendTx

TRANSFER = bytes.fromhex("a9059cbb")
ZERO = "0x0000000000000000000000000000000000000000"

work = json.load(sys.stdin)
multi_send = MultiSend(address=work["multiSend"])
params = {"chainId": work["chainId"], "gas": 1, "gasPrice": 1}
known = set()


def checked(address):
    if not fast_is_checksum_address(address):
        raise ValueError(f"{address} has a wrong checksum")
    return address


def transfer(line):
    token = line["token"]
    if token not in known:
        known.add(checked(token))
    data = TRANSFER + encode(["address", "uint256"], [checked(line["recipient"]), int(line["amount"])])
    return MultiSendTx(MultiSendOperation.CALL, token, 0, data)


def batch(lines):
    data = multi_send.build_tx([transfer(line) for line in lines], tx_params=params)["data"]
    transaction = SafeTx(
        None, work["safe"], work["multiSend"], 0, data, 1, 0, 0, 0, ZERO, ZERO,
        safe_nonce=work["nonce"], safe_version=work["safeVersion"], chain_id=work["chainId"],
    )
    return "0x" + bytes(transaction.safe_tx_hash).hex()


micros, hashes = [], []
for lines in work["rounds"]:
    started = time.perf_counter_ns()
    hashes.append(batch(lines))
    micros.append((time.perf_counter_ns() - started) // 1000)
json.dump({"micros": micros, "hashes": hashes}, sys.stdout)
