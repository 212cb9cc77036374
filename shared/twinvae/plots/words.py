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
    "why": "理由",
    "events": "イベント数",
    "rows": "行数",
    "last row": "最後の行",
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
    "of the first half where there is none; events do not count. 10 % is no drift, from {share:.0%} on it is called "
    "one.":
        "ドリフト：最後の 1 割の行のうち、学習区間（なければ前半）の 9 割の行よりも異常度が高い行の割合です。"
        "イベントの行は除きます。変化がなければ 10 % ほどで、{share:.0%} 以上をドリフトと呼びます。",
    "highest score: as a share of the threshold; an event has more than 1.":
        "異常度の最大点：しきい値に対する比です。イベントでは 1 を超えます。",
    "values and score: the band is the channel that the event is about, from its least to its largest value; events "
    "are shaded. The bars below are the highest scores, the line is the threshold.":
        "値と異常度：帯は、イベントに最も寄与したチャネルの最小値から最大値までです。イベントには色が付いています。"
        "下の棒は異常度の最大値、線はしきい値です。",
    "why: the highest event that lasts until now, or else the highest; and the value at its highest score.":
        "理由：継続中で異常度が最も高いイベント（なければ最も高いイベント）と、その最大点での値です。",
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
