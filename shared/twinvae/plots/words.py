"""The words in pictures and pages, in English and in Japanese: one table."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Words:
    """The words of a language. A call with the English words gives those of the language, its parts filled in."""

    language: str
    of_english: Mapping[str, str] = field(repr=False)

    def __call__(self, english: str, **parts: object) -> str:
        """The words for these English ones, which stay as they are where the table has none."""
        words = self.of_english.get(english, english)
        return words.format(**parts) if parts else words


ENGLISH = Words("en", {})
JAPANESE = Words("ja", {
    # What most pictures have.
    "series": "時系列",
    "value": "値",
    "score": "異常度",
    "threshold {value:.3g}": "しきい値 {value:.3g}",
    "reconstruction": "再構成",
    "time step": "時刻（ステップ）",
    "time, from {first}": "時刻（{first} から）",
    "no rows": "欠落した行",
    "end of the training part": "学習区間の終わり",
    "anomaly": "異常",
    "detected event": "検知したイベント",
    "detected event ({events})": "検知したイベント（{events} 件）",
    " (channels {shown} of {all})": "（全 {all} チャネル中 {shown} チャネル）",
    "{title}: reconstruction": "{title}：再構成",
    "{title}: anomaly score, {kind}": "{title}：異常度（{kind}）",
    # Labels beside what was detected.
    "labelled": "正解ラベル",
    "detected": "検知",
    "labelled anomaly": "正解の異常",
    "end of the fitted rows": "学習区間の終わり",
    "score (log above\nthe threshold)": "異常度（しきい値\nより上は対数）",
    # The latent space.
    "{title}: latent means by PCA": "{title}：潜在変数の平均の主成分分析（PCA）",
    "component 1 ({share:.0%} of the variance)": "第 1 主成分（寄与率 {share:.0%}）",
    "component 2 ({share:.0%} of the variance)": "第 2 主成分（寄与率 {share:.0%}）",
    "other windows": "その他の窓",
    "windows with a detected event": "検知したイベントを含む窓",
    # Why each event is one.
    "{title}: why each event": "{title}：各イベントの判定理由",
    " (the highest {shown} of {all})": "（{all} 件のうち上位 {shown} 件）",
    "measured": "測定値",
    "expected": "再構成",
    "event": "イベント",
    "highest score": "異常度の最大点",
    "most similar in training": "学習データで最も似た窓",
    "adds": "寄与",
    "rows [{start}, {end})": "行 [{start}, {end})",
    ", from {stamp}": "、{stamp} から",
    ": score {score}": "：異常度 {score}",
    ", {times} times the threshold": "（しきい値の {times} 倍）",
    "\nat the highest score: {channel}{value}, expected {expected}":
        "\n最大点：{channel}測定値 {value}、再構成 {expected}",
    "no value": "なし",
    "\nmost like the window at row {row} of training (distance {distance:.2g})":
        "\n学習データで最も似た窓は行 {row} から（距離 {distance:.2g}）",
    # Units of scores.
    "squared error": "二乗誤差",
    "squared error (training deviations)": "二乗誤差（学習データの標準偏差が単位）",
    "(error / largest training error)²": "（誤差 / 学習時の最大誤差）²",
    "(distance / largest in training)⁴": "（距離 / 学習時の最大距離）⁴",
    "share of the largest in training": "学習時の最大値に対する比",
    "nats per value": "値 1 個あたりのナット（nat）",
    "nats": "ナット（nat）",
    "deviations above what is usual here": "ふだんの水準を上回る量（標準偏差が単位）",
    # The page of a detection: the answer and its events.
    "No event in {rows} rows.": "{rows} 行にイベントはありません。",
    "{events} in {rows} rows": "{rows} 行に{events}",
    "1 event": "イベント 1 件",
    "{number} events": "イベント {number} 件",
    ", from {stamp}: {why}": "（{stamp} から）：{why}",
    ". The strongest, from {stamp}: {why}": "。最も強いもの（{stamp} から）：{why}",
    "{channel}{value} measured, {expected} expected": "{channel}測定値 {value}、再構成 {expected}",
    "; most like the window at row {row} of training (distance {distance:.2g})":
        "。学習データで最も似た窓は行 {row} から（距離 {distance:.2g}）",
    "score {score}": "異常度 {score}",
    "Events": "イベント",
    "A click on the time of an event shows it below.": "時刻を押すと、そのイベントを下に表示します。",
    "No event at this threshold.": "このしきい値ではイベントはありません。",
    "when": "時刻",
    "why": "理由",
    "length": "長さ",
    "channels": "チャネル",
    "mark": "ラベル",
    "1 row": "1 行",
    "{rows} rows": "{rows} 行",
    "{times} × the threshold": "しきい値の {times} 倍",
    " and {number} more": "、ほか {number} チャネル",
    "mark the event at {stamp}": "{stamp} のイベントのラベル",
    "real": "本当の異常",
    "expected, no event": "想定内（イベントではない）",
    # Its threshold.
    "threshold": "しきい値",
    "lower: more events": "低い：イベントが増える",
    "higher: fewer": "高い：減る",
    "back to the threshold that was used": "使われたしきい値に戻す",
    "Threshold {threshold}: events: {events}.": "しきい値 {threshold}：イベント {events} 件。",
    "Expect about {rate} false events in 10,000 normal rows.":
        "正常な 10,000 行あたり誤検知は約 {rate} 件の見込み。",
    "Expect at least {rate} false events in 10,000 normal rows.":
        "正常な 10,000 行あたり誤検知は {rate} 件以上の見込み。",
    "Expect at most {rate} false events in 10,000 normal rows.":
        "正常な 10,000 行あたり誤検知は {rate} 件以下の見込み。",
    "How many false events to expect is not known.": "誤検知の件数の見込みはわかりません。",
    "To make it so:": "このしきい値にするには：",
    "No option sets this threshold; with --threshold fenced, --margin does.":
        "このしきい値を変えるオプションはありません。--threshold fenced では --margin で変えられます。",
    # Its figures.
    "The series": "時系列",
    "all of it": "全体",
    "◀ earlier": "◀ 前へ",
    "later ▶": "次へ ▶",
    "closer": "拡大",
    "farther": "縮小",
    "from {first} to {last}": "{first} から {last} まで",
    "Drag a figure to move, Ctrl and the wheel to zoom; drag the frame in the uppermost one. Shaded: events; grey: the "
    "training part; hatched: no values. The score is raised for a window on both sides of an anomaly; shaded is "
    "where the values themselves depart.":
        "図をドラッグすると移動、Ctrl を押しながらホイールで拡大・縮小します。いちばん上の図の枠もドラッグできます。"
        "色つきはイベント、灰色は学習区間、斜線は値のない区間です。異常度は異常の前後 1 窓分でも高くなります。"
        "色つきの区間は、値そのものが外れているところです。",
    "All series": "全系列",
    "As it was detected:": "検知時の結果：",
    "show an event": "イベントを表示",
    "Choose among {all} channels, at most {most} at once": "全 {all} チャネルから選ぶ（同時に {most} まで）",
    "the first {number}": "先頭の {number} チャネル",
    "the first three": "先頭の 3 チャネル",
    "the whole series": "時系列の全体",
    "a channel over time, measured and expected": "チャネルの測定値と再構成の推移",
    "the score and the threshold over time": "異常度としきい値の推移",
    "score ({kind}): {unit}": "異常度（{kind}）：{unit}",
    "what each channel adds to the score": "各チャネルの異常度への寄与",
    "select a stretch": "区間を選ぶ",
    "row": "行",
    "time": "時刻",
    "time ({zone})": "時刻（{zone}）",
    "Windows in the latent plane": "潜在空間の窓",
    "Each point is a window of {steps} rows; neighbours in the plane look alike. What is selected here is selected in "
    "the score, and the other way round.":
        "点は {steps} 行の窓で、近い点どうしは形が似ています。ここで選んだ窓は異常度の図でも選ばれ、逆も同じです。",
    # Its labels.
    "Labels": "ラベル",
    "Mark events above as real or as expected. What was missed: select a stretch in the score, or take what is in "
    "view, or type its rows.":
        "上の表で、イベントに「本当の異常」か「想定内」のラベルを付けます。見逃された異常は、異常度の図で区間を選ぶか、"
        "表示中の区間を取り込むか、行の番号を入力します。",
    "first row": "最初の行",
    "last row": "最後の行",
    "rows from 0 to {last}, the first not after the last": "0 から {last} までの行、最初の行は最後の行以前",
    "take what is in view": "表示中の区間を取り込む",
    "it was missed": "見逃しとして加える",
    "rows [{start}, {end}), from {first} to {last}": "行 [{start}, {end})、{first} から {last} まで",
    "remove": "取り消す",
    "{marks} marks": "ラベル {marks} 件",
    "missed": "見逃し",
    "save labels.json": "labels.json を保存",
    "Then this moves the threshold so that what is marked is right, and says what that costs:":
        "次のコマンドで、ラベルどおりになるようにしきい値を動かし、その代償を表示します：",
    # The page of a fleet.
    "Of {series:,} series {now:,} have an event now, {drift:,} drift, {failed:,} failed":
        "全 {series:,} 系列のうち、イベント継続中 {now:,}、ドリフト {drift:,}、失敗 {failed:,}",
    "Each series was searched by a model of its own: no part of it is known to be normal.":
        "正常と分かっている区間がないので、系列ごとのモデルで全体を探索しました。",
    "Each series has a model of its own, fitted on its first {rows:,} rows.":
        "系列ごとに、先頭の {rows:,} 行で学習したモデルがあります。",
    "First come series with an event now, then those that drift, those that failed, those with earlier events, and the "
    "quiet ones; among these the highest score, or drift, first.":
        "並び順：イベント継続中、ドリフト、失敗、過去にイベントあり、異常なし。それぞれの中では異常度（またはドリフト）の高い順です。",
    "event now": "イベント継続中",
    "drift": "ドリフト",
    "failed": "失敗",
    "earlier events": "過去にイベントあり",
    "quiet": "異常なし",
    "all": "すべて",
    "with warnings": "警告あり",
    "which series": "表示する系列",
    "Find in names and reasons": "名前と理由から検索",
    "Show more": "さらに表示",
    "The rows are made by JavaScript; all are in fleet.parquet too.":
        "表の行は JavaScript が作ります。同じ内容が fleet.parquet にもあります。",
    "What the columns say": "各列の意味",
    "rank": "順位",
    "values and score": "値と異常度",
    "events": "イベント数",
    "rows": "行数",
    "%1 of %2 series": "%2 系列のうち %1 系列",
    "%1 of %2 series, the first %3 shown": "%2 系列のうち %1 系列（先頭の %3 系列を表示）",
    "warnings: %1": "警告 %1 件",
    "no series is like that": "該当する系列はありません",
    "its scores have risen, but no event has come of it: does the model still fit?":
        "異常度が上がっていますが、イベントにはなっていません。モデルが今の状態に合っているか確かめてください。",
    "row {row}": "行 {row}",
    "{begin}, for {rows:,} rows": "{begin} から {rows:,} 行",
    ": {channel} {value}, expected {expected}": "：{channel} {value}、再構成 {expected}",
    "event now: an event reaches into the last window of the series.":
        "イベント継続中：系列の最後の窓にかかるイベントがあります。",
    "drift: the share of the last tenth of the rows that scores higher than nine in ten rows of the training part, or "
    "of the first half where there is none; events do not count. 10 % is no drift, from {share} on it is called "
    "one.":
        "ドリフト：最後の 1 割の行のうち、学習区間（なければ前半）の 9 割の行よりも異常度が高い行の割合です。"
        "イベントの行は除きます。変化がなければ 10 % ほどで、{share} 以上をドリフトと呼びます。",
    "highest score: as a share of the threshold; an event has more than 1.":
        "異常度の最大点：しきい値に対する比です。イベントでは 1 を超えます。",
    "values and score: the band is the channel that the event is about, from its least to its largest value; events "
    "are shaded. The bars below are the highest scores, the line is the threshold.":
        "値と異常度：帯は、イベントに最も寄与したチャネルの最小値から最大値までです。イベントには色が付いています。"
        "下の棒は異常度の最大値、線はしきい値です。",
    "why: the highest event that lasts until now, or else the highest; and the value at its highest score.":
        "理由：継続中で異常度が最も高いイベント（なければ最も高いイベント）と、その最大点での値です。",
    "A name that is a link opens the page of the series; --reports all makes one for each.":
        "リンクになっている名前から、その系列のページが開きます。--reports all で全系列のページを作ります。",
    "{more:,} more series are in fleet.parquet.": "残りの {more:,} 系列は fleet.parquet にあります。",
    # `twinvae demo`.
    "injected anomaly": "加えた異常",
    "Noisy sine with an injected anomaly": "異常を加えた雑音入りの正弦波",
    "Latent means by PCA ({backend})": "潜在変数の平均の主成分分析（PCA、{backend}）",
    "normal windows": "正常な窓",
    "windows with the anomaly": "異常を含む窓",
    "Training series and its reconstruction ({backend})": "学習用の時系列とその再構成（{backend}）",
    "Series with the anomaly and its reconstruction ({backend})": "異常を含む時系列とその再構成（{backend}）",
    "Anomaly score, {kind} ({backend})": "異常度（{kind}、{backend}）",
})  # fmt: skip
LANGUAGES: Mapping[str, Words] = {words.language: words for words in (ENGLISH, JAPANESE)}


def language_of(environment: Mapping[str, str]) -> str:
    """The language that the environment asks for, by LC_ALL, LC_MESSAGES or LANG, if there is a table of it; else en.

    The first of them that is set decides, as POSIX has it.
    """
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environment.get(name))), "")
    language = locale.replace("-", "_").replace(".", "_").partition("_")[0].lower()
    return language if language in LANGUAGES else ENGLISH.language
