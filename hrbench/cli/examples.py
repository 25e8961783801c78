"""Examples of use, with which the help of hrbench and that of each command ends."""

from __future__ import annotations

EPILOG = """examples:
  hrbench run suites/miniature.yaml           generated data, trained networks: the whole flow in two to three minutes
  hrbench run pose --data data --weights weights
  hrbench check pose                          what is there, what is missing, how much work it would be
  hrbench score coco-keypoints --gt person_keypoints_val2017.json --pred results.json
  hrbench COMMAND --help                      more on a command, with examples
"""

EXAMPLES = {
    "run": """examples:
  hrbench run suites/miniature.yaml
  hrbench run pose --data /datasets --weights checkpoints --device cuda
  hrbench run pose --only 'pose_hrnet_w32*' --set cost.latency.batch=1
  hrbench run pose --limit 50                 a quick look; marked as not comparable
The same command again resumes: what is stored and still counts is not run again.""",
    "check": """examples:
  hrbench check suites/miniature.yaml
  hrbench check pose --data /datasets --weights checkpoints
  hrbench check pose --deep                        also decodes a sample of the data""",
    "score": """examples:
  hrbench score coco-keypoints --gt annotations/person_keypoints_val2017.json --pred results.json
  hrbench score coco-keypoints --gt ours.json --pred results.json --sigmas 0.03,0.05,0.05
  hrbench score mpii-pckh --gt annot/gt_valid.mat --pred preds.npy
  hrbench score coco-boxes --gt instances_val2017.json --pred results.json --option per_class=true
  hrbench score cityscapes --gt gtFine/val --pred label_pngs
  hrbench score miou --dataset ade20k-val --pred label_pngs
  hrbench score topk --gt val.txt --pred predictions.csv
  hrbench score coco-keypoints --gt gt.json --pred results.json --verify --json""",
    "profile": """examples:
  hrbench profile pose_hrnet_w32_coco_256x192
  hrbench profile pose_resnet_50_coco_256x192 --depth 2 --operators --latency
  hrbench profile timm:hrnet_w18 --input 224x224
  hrbench profile smp:Unet --input 256x256 --args encoder_name=resnet18 classes=3
  hrbench profile mask_rcnn_spinenet_49 --args backbone.args.variant=96
  hrbench profile torchvision:vit_b_16 --input 224x224 --cross-check cpu
  hrbench profile ourpkg.nets:pose --input 512x512""",
    "report": """examples:
  hrbench report runs/pose
  hrbench report runs/ours runs/baseline --out both
  hrbench report runs/pose --table our_table.yaml
  hrbench report runs/pose --against v1.2        the first screen says how far the best are from a baseline or a run
  hrbench report runs/pose --format json,csv     for programs: every number with all its digits, and the tables
  hrbench report runs/pose --export flat.json    names and numbers of each entry, for W&B, TensorBoard and others""",
    "explain": """examples:
  hrbench explain runs/pose                       what weighs most in each entry
  hrbench explain runs/detection:mask_rcnn_r50    all of one entry
  hrbench explain runs/old:mask_rcnn_r50 --data data    of a run without analyses, from its predictions
  hrbench explain runs/pose --json                every number, for programs""",
    "compare": """examples:
  hrbench compare runs/before runs/after
  hrbench compare v1.2 runs/pose --changed                a baseline against a run
  hrbench compare runs/x:teacher runs/x:student --across input
  hrbench compare runs/before runs/after --format md --sort verdict
Marks: + better, - worse, ~ much the same, ? cannot be told, ! no difference to tell.""",
    "gate": """examples:
  hrbench gate runs/pose --against v1.2
  hrbench gate runs/pose --against v1.2 --strict          a release: what cannot be told blocks
  hrbench gate runs/pose --against v1.2 --policy gate.yaml
Exit codes: 0 passed; 1 worse, missing or below a floor; 2 not comparable, or usage; 3 failed, or nothing was compared;
4 cannot tell, with --strict. Writes gate.json, junit.xml, summary.md and comparison.html into RUN.""",
    "baseline": """examples:
  hrbench baseline save runs/pose v1.2 --note "release 1.2"
  hrbench baseline list
  hrbench baseline show v1.2
  hrbench baseline remove v1.2""",
    "history": """examples:
  hrbench history                             main numbers of every entry over all baselines and runs (once each)
  hrbench history AP                          each release, with intervals and changes
  hrbench history AP --only 'pose_hrnet_w32*' --html history.html
  hrbench history 'coco-boxes/*' --format csv
Baselines and run folders are the truth; what was read is remembered in history.sqlite beside them, and made anew
if it is deleted.""",
    "serve": """examples:
  hrbench serve                               runs/ and reports/baselines at http://127.0.0.1:8000/
  hrbench serve runs/pose --port 0            one run folder, on a free port
  HRBENCH_TOKEN=... hrbench serve --host 0.0.0.0    for others, who need the token
Nothing is written into what is shown. Needs `pip install 'hrbench[serve]'`.""",
    "models": """examples:
  hrbench models
  hrbench models 'pose_hrnet*'
  hrbench models --task segmentation
  hrbench models pose_hrnet_w32_coco_256x192  all about one""",
    "fetch": """examples:
  hrbench fetch weights cls_hrnet_w48
  hrbench fetch weights 'cls_hrnet*' --source timm --weights checkpoints
  hrbench fetch weights cls_hrnet_w48 --offline    what it would download, and where to
  hrbench fetch data ade20k-val --data /datasets
The same command again resumes a download. `hrbench models NAME` shows a network's sources.""",
    "datasets": """examples:
  hrbench datasets
  hrbench datasets mpii-val --data /datasets
  hrbench datasets cityscapes-val --check         counts files, decodes a sample, tells the digest of results
  hrbench datasets cityscapes-val --check --all   decodes every image""",
    "metrics": """examples:
  hrbench metrics
  hrbench metrics coco-boxes""",
    "doctor": """examples:
  hrbench doctor
  hrbench doctor --seconds 30                 what comes and goes is seen only while it is there
  hrbench doctor --strict                     exit 1 if anything disturbs, before a measurement in CI
Nothing is changed. Every latency of a run is watched in the same way, and says whether it is stable.""",
    "schema": """examples:
  hrbench schema > suite.schema.json          then, first line of a suite:
                                              # yaml-language-server: $schema=suite.schema.json
  hrbench schema policy
  hrbench schema gate
  hrbench schema report""",
}
"""Command -> its examples."""
