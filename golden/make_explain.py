#!/usr/bin/env python3
"""Write explain.safetensors and explain_text.safetensors: what Captum, shap and scikit-learn attribute.

explain.safetensors holds small networks with random weights, under the names of gradus' families, and for each case of
the metadata list `cases` its tensors `<case>.<name>`:

    {"name", "kind": "gradients", "model", "targets": [..]}        x, saliency, ig (50 Gauss-Legendre steps from zero),
                                                                   ig_trapezoid (20 steps), baseline, ig_baseline
    {"kind": "smoothgrad", "noise"}                                x, mean and error (its standard error) of |gradient|
    {"kind": "occlusion", "size", "stride", "fill"}                x, occlusion
    {"kind": "ablation", "groups"}                                 x, ablation
    {"kind": "shap"}                                               x, background, groups, shap: exact
    {"kind": "sampled-shap", "coalitions"}                         x, background, exact, error: the root mean square error
                                                                   of shap's own sampling over seeds
    {"kind": "permutation"}                                        x, labels, score, mean, std of `repeats` permutations

`model` of the metadata says how each network is built.

explain_text.safetensors is about the models of golden/transformers: for each name the ids [1, seq], the token that is
most probable next, its log-probability, captum's integrated gradients over the input embeddings summed by token (from
zeros, and from the embedding of token 3 by LayerIntegratedGradients), and the L2 norm of each embedding's gradient;
and the attention probabilities of each layer [heads, seq, seq].
"""

import itertools
import math

import numpy as np
import shap
import sklearn
import torch
import transformers
from captum import attr
from golden_file import HERE, to_numpy, versions, write_tensors
from sklearn.inspection import permutation_importance
from torch import nn

SEED = 44
torch.set_num_threads(1)


class Mlp(nn.Module):
    def __init__(self, sizes, activation):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.activation = activation

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class ConvBlock(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.norm(self.conv(x)))


class Cnn(nn.Module):
    """gradus' family `cnn`, style `vgg`, one block a stage."""

    def __init__(self, channels, classes):
        super().__init__()
        pairs = itertools.pairwise(channels)
        self.stages = nn.ModuleList(nn.Sequential(ConvBlock(a, b), nn.MaxPool2d(2)) for a, b in pairs)
        self.classifier = nn.Linear(channels[-1], classes)

    def forward(self, x):
        for stage in self.stages:
            x = stage(x)
        return self.classifier(x.mean((2, 3)))


def seeded(model, generator):
    """Weights large enough that a mistake shows, and running statistics that are not 0 and 1."""
    for name, tensor in model.state_dict().items():
        if tensor.dtype.is_floating_point:
            fan = tensor[0].numel() if tensor.ndim > 1 else 4
            values = torch.randn(tensor.shape, generator=generator) * 1.5 / math.sqrt(fan)
            tensor.copy_(values.abs() + 0.5 if "running_var" in name or name.endswith("norm.weight") else values)
    return model.eval()


MODELS = {
    "mlp": ({"model_type": "mlp", "input_shape": [8], "hidden_sizes": [24, 16], "num_classes": 3, "activation": "relu"},
            lambda: Mlp([8, 24, 16, 3], torch.relu)),
    "smooth": ({"model_type": "mlp", "input_shape": [20], "hidden_sizes": [16], "num_classes": 2, "activation": "tanh"},
               lambda: Mlp([20, 16, 2], torch.tanh)),
    "cnn": ({"model_type": "cnn", "input_shape": [2, 12, 12], "num_classes": 4, "style": "vgg", "channels": [5, 6],
             "blocks_per_stage": 1, "batch_norm": True, "activation": "relu"},
            lambda: Cnn([2, 5, 6], 4)),
}


class Golden:
    def __init__(self):
        self.generator = torch.Generator().manual_seed(SEED)
        self.tensors, self.cases = {}, []
        self.models = {name: seeded(make(), self.generator) for name, (_, make) in MODELS.items()}
        for name, model in self.models.items():
            for key, value in model.state_dict().items():
                if "num_batches_tracked" not in key:
                    self.tensors[f"model.{name}.{key}"] = to_numpy(value)

    def randn(self, *shape):
        return torch.randn(shape, generator=self.generator)

    def add(self, name, kind, model, tensors, **settings):
        self.cases.append({"name": name, "kind": kind, "model": model} | settings)
        self.tensors |= {f"{name}.{key}": to_numpy(torch.as_tensor(value)) for key, value in tensors.items()}


def gradients(golden, name, x, targets):
    model, goal = golden.models[name], torch.tensor(targets)
    ig = attr.IntegratedGradients(model)
    baseline = golden.randn(1, *x.shape[1:]) * 0.3
    golden.add(f"gradients.{name}", "gradients", name, {
        "x": x, "baseline": baseline,
        "saliency": attr.Saliency(model).attribute(x, target=goal),
        "ig": ig.attribute(x, target=goal, n_steps=50),
        "ig_trapezoid": ig.attribute(x, target=goal, n_steps=20, method="riemann_trapezoid"),
        "ig_baseline": ig.attribute(x, baseline, target=goal, n_steps=50),
    }, targets=targets)


def smoothgrad(golden, name, x, targets, noise, draws=4000):
    """One row at a time: Captum's noise has one deviation, gradus' a share of each row's range."""
    model = golden.models[name]
    means, errors = [], []
    for row, target in zip(x, targets):
        deviation = noise * float(row.max() - row.min())
        torch.manual_seed(SEED)
        tunnel = attr.NoiseTunnel(attr.Saliency(model))
        means.append(tunnel.attribute(row[None], nt_type="smoothgrad", nt_samples=draws, nt_samples_batch_size=500,
                                      stdevs=deviation, target=target)[0])
        noisy = row + deviation * torch.randn(draws, *row.shape)
        sizes = attr.Saliency(model).attribute(noisy.requires_grad_(), target=target)
        errors.append(sizes.std(0) / math.sqrt(draws))
    golden.add(f"smoothgrad.{name}", "smoothgrad", name, {"x": x, "mean": torch.stack(means), "error": torch.stack(errors)},
               targets=targets, noise=noise, draws=draws)


def occlusion(golden, name, x, targets):
    model, goal = golden.models[name], torch.tensor(targets)
    for index, (size, stride, fill) in enumerate([([3, 3], [1, 1], 0.0), ([4, 4], [2, 2], 0.5), ([5, 3], [4, 2], -1.0),
                                                  ([12, 12], [1, 1], 0.0)]):
        found = attr.Occlusion(model).attribute(x, (x.shape[1], *size), strides=(1, *stride), baselines=fill, target=goal,
                                                perturbations_per_eval=16)
        golden.add(f"occlusion.{index}", "occlusion", name, {"x": x, "occlusion": found},
                   targets=targets, size=size, stride=stride, fill=fill)


def ablation(golden, name, x, targets, groups):
    mask = torch.tensor(groups)[None]
    found = attr.FeatureAblation(golden.models[name]).attribute(x, target=torch.tensor(targets), feature_mask=mask)
    golden.add(f"ablation.{name}", "ablation", name, {"x": x, "ablation": found}, targets=targets, groups=groups)


def outputs(model):
    return lambda rows: model(torch.as_tensor(rows, dtype=torch.float32)).detach().double().numpy()


def exact_shap(golden, name, x, targets):
    model, background = golden.models[name], golden.randn(6, x.shape[1])
    explainer = shap.KernelExplainer(outputs(model), background.numpy(), link="identity")
    found = explainer.shap_values(x.numpy(), nsamples=2 ** x.shape[1], l1_reg=False, silent=True)
    found = np.stack([found[row, :, target] for row, target in enumerate(targets)])
    golden.add(f"shap.{name}", "shap", name, {"x": x, "background": background, "shap": torch.tensor(found)}, targets=targets)


def shapley(values, features):
    """Shapley values from the worth of every coalition, by their definition."""
    sizes = np.array([bin(mask).count("1") for mask in range(1 << features)])
    weight = np.array([math.factorial(s) * math.factorial(features - s - 1) / math.factorial(features)
                       for s in range(features)])
    shares, masks = [], np.arange(1 << features)
    for feature in range(features):
        without = masks[masks >> feature & 1 == 0]
        shares.append((weight[sizes[without]] * (values[without | 1 << feature] - values[without])).sum())
    return np.array(shares)


def sampled_shap(golden, name, x, targets, coalitions, seeds=12):
    model, features = golden.models[name], x.shape[1]
    background = torch.zeros(1, features)
    members = (np.arange(1 << features)[:, None] >> np.arange(features) & 1).astype(np.float32)
    exact, errors = [], []
    for row, target in zip(x.numpy(), targets):
        values = outputs(model)(members * row)[:, target]
        exact.append(shapley(values, features))
        found = []
        for seed in range(seeds):
            np.random.seed(seed)
            explainer = shap.KernelExplainer(outputs(model), background.numpy(), link="identity")
            found.append(explainer.shap_values(row, nsamples=coalitions, l1_reg=False, silent=True)[:, target])
        errors.append(np.sqrt(np.mean((np.array(found) - exact[-1]) ** 2)))
    golden.add(f"sampled_shap.{name}", "sampled-shap", name, {
        "x": x, "background": background, "exact": torch.tensor(np.array(exact)), "error": torch.tensor(np.array(errors)),
    }, targets=targets, coalitions=coalitions)


class Answers(sklearn.base.ClassifierMixin, sklearn.base.BaseEstimator):
    def __init__(self, model=None):
        self.model = model
        self.classes_ = np.arange(3)

    def fit(self, rows, labels):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, rows):
        return outputs(self.model)(rows).argmax(1)


def permutation(golden, name, rows=240, repeats=200):
    model = golden.models[name]
    x = golden.randn(rows, MODELS[name][0]["input_shape"][0])
    labels = model(x).argmax(1)
    noise = torch.rand(rows, generator=golden.generator) < 0.1
    labels = torch.where(noise, (labels + 1) % 3, labels)
    found = permutation_importance(Answers(model), x.numpy(), labels.numpy(), n_repeats=repeats, random_state=SEED)
    golden.add(f"permutation.{name}", "permutation", name, {
        "x": x, "labels": labels, "mean": torch.tensor(found.importances_mean), "std": torch.tensor(found.importances_std),
    }, score=float((model(x).argmax(1) == labels).double().mean()), repeats=repeats, targets=[])


def classifiers():
    golden = Golden()
    gradients(golden, "mlp", golden.randn(5, 8), [0, 1, 2, 1, 0])
    gradients(golden, "smooth", golden.randn(4, 20), [0, 1, 1, 0])
    images, classes = golden.randn(3, 2, 12, 12), [0, 3, 2]
    gradients(golden, "cnn", images, classes)
    smoothgrad(golden, "mlp", golden.randn(3, 8), [2, 0, 1], 0.15)
    occlusion(golden, "cnn", images, classes)
    ablation(golden, "mlp", golden.randn(4, 8), [1, 2, 0, 0], [0, 0, 1, 2, 2, 2, 3, 4])
    exact_shap(golden, "mlp", golden.randn(4, 8), [0, 1, 2, 2])
    sampled_shap(golden, "smooth", golden.randn(3, 20), [1, 0, 1], 600)
    permutation(golden, "mlp")
    write_tensors("explain.safetensors", golden.tensors, cases=golden.cases,
                  models={name: config for name, (config, _) in MODELS.items()},
                  made_with=versions(captum=__import__("captum").__version__, shap=shap.__version__,
                                     sklearn=sklearn.__version__))


TEXT = ["gpt2", "llama", "gemma2", "qwen3", "mistral"]
BASELINE_TOKEN = 3


class NextToken(nn.Module):
    """The log-probability of the token that is most probable after the ids."""

    def __init__(self, model, token):
        super().__init__()
        self.model, self.token = model, token

    def forward(self, embeddings):
        logits = self.model(inputs_embeds=embeddings, use_cache=False).logits[:, -1]
        return logits.log_softmax(-1)[:, self.token]

    def of_ids(self, ids):
        return self.model(input_ids=ids, use_cache=False).logits[:, -1].log_softmax(-1)[:, self.token]


def texts():
    generator = torch.Generator().manual_seed(SEED)
    tensors = {}
    for name in TEXT:
        folder = HERE / "transformers" / name
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
        model.eval()
        ids = torch.randint(4, 60, (1, 11), generator=generator)
        with torch.no_grad():
            answers = model(ids, output_attentions=True)
        token = int(answers.logits[0, -1].argmax())
        question = NextToken(model, token)
        table = model.get_input_embeddings()
        # Gemma's embedding scales what it looks up: the vectors are those that enter the model.
        vectors = table(ids).detach()
        ig = attr.IntegratedGradients(question).attribute(vectors, n_steps=50)
        layer = attr.LayerIntegratedGradients(question.of_ids, table)
        from_token = layer.attribute(ids, torch.full_like(ids, BASELINE_TOKEN), n_steps=50)
        leaf = vectors.clone().requires_grad_()
        question(leaf).sum().backward()
        tensors |= {
            f"{name}.ids": ids, f"{name}.token": torch.tensor([token]),
            f"{name}.score": question(vectors).detach(),
            f"{name}.ig": ig.sum(-1)[0], f"{name}.ig_from_token": from_token.sum(-1)[0],
            f"{name}.gradient_norm": leaf.grad.norm(dim=-1)[0],
        }
        for index, attention in enumerate(answers.attentions):
            tensors[f"{name}.attention.{index}"] = attention[0]
    write_tensors("explain_text.safetensors", {key: to_numpy(value) for key, value in tensors.items()},
                  baseline_token=BASELINE_TOKEN,
                  made_with=versions(captum=__import__("captum").__version__, transformers=transformers.__version__))


if __name__ == "__main__":
    classifiers()
    texts()
