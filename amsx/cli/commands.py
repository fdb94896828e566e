"""The commands and what each of them is for: the lines of `amsx --help`, which imports none of their modules."""

# Module of amsx.cli -> its commands, in the order of `amsx --help` -> what a command is for
COMMANDS = {
    "data": {
        "data": "show what a directory of features holds and what is wrong with it",
        "convert": "write a data set in another layout",
    },
    "extraction": {
        "extract": "from video files to features that `amsx train` reads",
    },
    "runs": {
        "train": "train AMS on a directory of features, then test it",
        "test": "fuse, localize and score again from the saved CASs of a run, or test it on other data",
    },
    "localize": {
        "localize": "find actions in new videos with a trained run",
    },
    "evaluation": {
        "evaluate": "score detections under a named protocol, or under all",
        "compare": "compare detections over seeds, and of two methods by a paired bootstrap",
    },
    "export": {
        "export": "write a branch of a run to an ONNX, TorchScript or torch.export file",
    },
    "pseudo_labels": {
        "pseudo-labels": "write what a run finds in its training videos, for other detectors to train on",
    },
    "report": {
        "report": "write one HTML file about runs: scores, errors, training curves, a timeline of every video",
    },
    "config": {
        "config": "describe every setting: its default, its range, its meaning and source",
    },
    "experiments": {
        "reproduce": "reproduce the paper's tables and figures on your features",
        "validate": "compare settings on held-out training videos, fold by fold",
        "tune": "search lambda, eta, H, beta and theta_cls on held-out training videos",
        "demo": "train on a small synthetic set and draw the result (about a minute on 2 idle cores)",
    },
}
HELP = {command: line for module in COMMANDS.values() for command, line in module.items()}
