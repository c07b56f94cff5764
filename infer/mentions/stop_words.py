"""English words that are never names on their own, and those that only qualify others.

The list of stop words is that of scikit-learn (BSD-3-Clause), which comes from the Glasgow
Information Retrieval Group. It is copied here because importing scikit-learn takes as long as
linking an abstract.
"""

__all__ = ["QUALIFIERS", "STOP_WORDS"]

STOP_WORDS = frozenset(
    """
a about above across after afterwards again against all almost alone along already also although
always am among amongst amoungst amount an and another any anyhow anyone anything anyway anywhere
are around as at back be became because become becomes becoming been before beforehand behind
being below beside besides between beyond bill both bottom but by call can cannot cant co con
could couldnt cry de describe detail do done down due during each eg eight either eleven else
elsewhere empty enough etc even ever every everyone everything everywhere except few fifteen
fifty fill find fire first five for former formerly forty found four from front full further get
give go had has hasnt have he hence her here hereafter hereby herein hereupon hers herself him
himself his how however hundred i ie if in inc indeed interest into is it its itself keep last
latter latterly least less ltd made many may me meanwhile might mill mine more moreover most
mostly move much must my myself name namely neither never nevertheless next nine no nobody none
noone nor not nothing now nowhere of off often on once one only onto or other others otherwise
our ours ourselves out over own part per perhaps please put rather re same see seem seemed
seeming seems serious several she should show side since sincere six sixty so some somehow
someone something sometime sometimes somewhere still such system take ten than that the their
them themselves then thence there thereafter thereby therefore therein thereupon these they thick
thin third this those though three through throughout thru thus to together too top toward
towards twelve twenty two un under until up upon us very via was we well were what whatever when
whence whenever where whereafter whereas whereby wherein whereupon wherever whether which while
whither who whoever whole whom whose why will with within without would yet you your yours
yourself yourselves
""".split()
)

#: Words that say how, where or when something is. Some bases have concepts for them, but on their
#: own they are not mentions.
QUALIFIERS = frozenset(
    """
abnormal absent acquired acute adult anterior atypical bilateral borderline central childhood
chronic classic common complete congenital continuous decreased deep diffuse distal dorsal early
elevated episodic external extreme familial focal frequent general generalised generalized
hereditary heterogeneity high idiopathic increased infantile inferior inheritance intermittent
internal isolated juvenile large late lateral left local localised localized long low lower marked
medial mild moderate multiple narrow neonatal non-progressive nonprogressive normal obligate
occasional onset partial peripheral persistent posterior postnatal prenatal present primary
profound progressive proximal rare recurrent reduced right secondary severe short slight slow
small sporadic stable superficial superior symmetric symmetrical thick thin transient typical
unilateral upper variable ventral very wide
""".split()
)
